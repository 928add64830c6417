import Foundation
import Protobuf

/// Answers Google's conformance test.
///
/// [conformance](https://github.com/protocolbuffers/protobuf/tree/main/conformance)
enum ConformanceTestee {
    static func run(on pipe: FramedPipe) throws {
        while let request = try pipe.read() {
            let answer = answer(try ConformanceRequest(serializedBytes: request))
            try pipe.write(try answer.serializedBytes())
        }
    }

    private static func answer(_ request: ConformanceRequest) -> ConformanceResponse {
        var response = ConformanceResponse()
        guard request.messageType == TestAllTypesProto3.protoMessageName else {
            response.result = .skipped("only proto3")
            return response
        }
        let message: TestAllTypesProto3
        do {
            guard let parsed = try parse(request) else {
                response.result = .skipped("only the binary format and JSON")
                return response
            }
            message = parsed
        } catch {
            response.result = .parseError("\(error)")
            return response
        }
        do {
            response.result = try serialize(message, as: request.requestedOutputFormat)
        } catch {
            response.result = .serializeError("\(error)")
        }
        return response
    }

    private static func parse(
        _ request: ConformanceRequest
    ) throws(ProtobufError) -> TestAllTypesProto3? {
        switch request.payload {
        case .protobufPayload(let bytes): return try TestAllTypesProto3(serializedBytes: bytes)
        case .jsonPayload(let text):
            var options = JSONDecodingOptions()
            options.ignoreUnknownFields =
                request.testCategory == .jsonIgnoreUnknownParsingTest
            options.packedTypes = [TestAllTypesProto3.self]
            return try TestAllTypesProto3(jsonString: text, options: options)
        default: return nil
        }
    }

    private static func serialize(
        _ message: TestAllTypesProto3, as format: WireFormat
    ) throws(ProtobufError) -> ConformanceResponse.OneOf_Result {
        switch format {
        case .protobuf: return .protobufPayload(try message.serializedBytes())
        case .json:
            var options = JSONEncodingOptions()
            options.packedTypes = [TestAllTypesProto3.self]
            return .jsonPayload(try message.jsonString(options: options))
        default: return .skipped("only the binary format and JSON")
        }
    }
}

/// Frames over standard input and output: a length of four bytes, little-endian, then the bytes.
struct FramedPipe {
    let input: FileHandle
    let output: FileHandle

    /// The next frame; nil at the end of the input.
    func read() throws -> [UInt8]? {
        guard let head = try read(count: 4) else { return nil }
        return try read(count: head.reversed().reduce(0) { $0 << 8 | Int($1) })
    }

    private func read(count: Int) throws -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < count {
            guard let data = try input.read(upToCount: count - bytes.count), !data.isEmpty else {
                return nil
            }
            bytes += data
        }
        return bytes
    }

    func write(_ bytes: [UInt8]) throws {
        let head = (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) }
        try output.write(contentsOf: Data(head + bytes))
    }
}
