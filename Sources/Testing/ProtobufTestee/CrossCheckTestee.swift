import Protobuf
import ReportMessages

/// Converts messages for `cross_check.py`.
///
/// A request is an operation, the length of a type's name, the name, and the message. A reply is 1
/// and the message, or 0 and an error.
enum CrossCheckTestee {
    private enum Operation: UInt8 {
        case binaryToBinary
        case binaryToJSON
        case jsonToBinary
    }

    private static let types: [any Message.Type] = [
        ConversionEvent.self, CreateReportRequest.self, CreateReportResponse.self,
        GenerateReportsRequest.self, GenerateReportsResponse.self, GetReportRequest.self,
        GetReportResponse.self, Report.self, ReportReady.self, ReportRequest.self,
        ReportStatus.self, WaitReportRequest.self, WaitReportResponse.self,
        Google_Rpc_BadRequest.self, Google_Rpc_ErrorInfo.self, Google_Rpc_RetryInfo.self,
        TestAllTypesProto3.self,
    ]

    static func run(on pipe: FramedPipe) throws {
        while let request = try pipe.read() {
            let payload = 2 + Int(request[1])
            let name = String(decoding: request[2..<payload], as: UTF8.self)
            guard let operation = Operation(rawValue: request[0]),
                let type = types.first(where: { $0.protoMessageName == name })
            else {
                try pipe.write([0] + "protobuf-testee does not know \(name)".utf8)
                continue
            }
            do {
                try pipe.write([1] + convert(request[payload...], as: type, operation))
            } catch let error as ProtobufError {
                try pipe.write([0] + "\(error)".utf8)
            }
        }
    }

    private static func convert<M: Message>(
        _ bytes: ArraySlice<UInt8>, as _: M.Type, _ operation: Operation
    ) throws(ProtobufError) -> [UInt8] {
        switch operation {
        case .binaryToBinary: try M(serializedBytes: bytes).serializedBytes()
        case .binaryToJSON: try M(serializedBytes: bytes).jsonUTF8Bytes()
        case .jsonToBinary: try M(jsonUTF8Bytes: bytes).serializedBytes()
        }
    }
}
