internal import PipelineCore
internal import Protobuf

/// How a record's payload is written, as its `content-type` header says.
private enum PayloadFormat {
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
                    code: .tooLarge,
                    reason: "the payload has \(record.payload.count) bytes; \(limit) are allowed"))
        }
        switch PayloadFormat(of: record) {
        case .json: return .success(try M(jsonUTF8Bytes: record.payload))
        case .protobuf: return .success(try M(serializedBytes: record.payload))
        case nil:
            return .failure(
                Refusal(
                    code: .unsupportedContentType,
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

extension [Record] {
    /// Decodes records in place; the canonical bodies of all share one buffer.
    ///
    /// - Parameter decode: fills in the record's `id`, `digest` and `deadline` and appends its
    ///   canonical body, or appends nothing and throws.
    /// - Returns: the refused records, which are taken out; the others keep their order.
    mutating func decodeAll(
        stage: String, _ decode: (inout Record, inout [UInt8]) throws(Refusal) -> Void
    ) -> [Rejection] {
        var rejections: [Rejection] = []
        var bodies: [UInt8] = []
        bodies.reserveCapacity(reduce(0) { $0 + Swift.min($1.payload.count, PayloadFormat.limit) })
        var ends: [Int] = []
        ends.reserveCapacity(count)
        for index in indices {
            do {
                try decode(&self[index], &bodies)
                if ends.count != index { swapAt(ends.count, index) }
                ends.append(bodies.count)
            } catch {
                rejections.append(error.rejection(of: self[index], stage: stage))
            }
        }
        removeLast(count - ends.count)
        var start = 0
        for index in indices {
            self[index].body = bodies[start..<ends[index]]
            start = ends[index]
        }
        return rejections
    }
}

extension Message {
    /// Reads a record's payload in the format it says.
    static func read(from record: Record) throws(Refusal) -> Self {
        let result: Result<Self, Refusal>
        do {
            result = try PayloadFormat.decode(Self.self, from: record)
        } catch {
            throw .unreadable(error)
        }
        return try result.get()
    }

    /// Appends the binary form, which for these messages is canonical: fields in order, defaults
    /// left out, no maps.
    func write(to bytes: inout [UInt8]) {
        do {
            try serialize(appendingTo: &bytes)
        } catch {
            preconditionFailure("a message of at most 64 KiB can be written: \(error)")
        }
    }
}
