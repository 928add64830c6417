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
