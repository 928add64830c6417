internal import PipelineCore
internal import Protobuf

/// How a record's payload is written, as its `content-type` header says.
enum PayloadFormat {
    /// [ProtoJSON](https://protobuf.dev/programming-guides/json/), also without a header.
    case json
    case protobuf

    /// Largest payload that is read, in bytes.
    static let limit = 64 << 10

    /// `nil` for a content type that is not read. Parameters (`; charset=utf-8`) and letter case do
    /// not matter.
    init?(of record: Record) {
        let header = record.headers.first { $0.name.matches("content-type") }
        guard let value = header?.value else {
            self = .json
            return
        }
        let type = value.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        if type.matches("application/json") {
            self = .json
        } else if type.matches("application/x-protobuf") || type.matches("application/protobuf") {
            self = .protobuf
        } else {
            return nil
        }
    }

    /// Reads the record's payload.
    static func decode<M: Message>(
        _: M.Type, from record: Record
    ) throws(ProtobufError) -> Result<M, Refusal> {
        guard record.payload.count <= limit else {
            return .failure(
                Refusal(
                    code: "too-large",
                    reason: "the payload has \(record.payload.count) bytes; \(limit) are allowed"))
        }
        switch PayloadFormat(of: record) {
        case .json: return .success(try M(jsonUTF8Bytes: record.payload))
        case .protobuf: return .success(try M(serializedBytes: record.payload))
        case nil:
            return .failure(
                Refusal(
                    code: "unsupported-content-type",
                    reason: "content-type must be application/json or application/x-protobuf"))
        }
    }
}

extension String {
    fileprivate func matches(_ lowercase: StaticString) -> Bool { utf8.matches(lowercase) }
}

extension Collection<UInt8> {
    /// Compares with a text in lower case, letter case aside.
    fileprivate func matches(_ lowercase: StaticString) -> Bool {
        let wanted = "\(lowercase)".utf8
        return count == wanted.count
            && zip(self, wanted).allSatisfy { ($0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0) == $1 }
    }
}
