internal import PipelineCore
internal import Protobuf

/// Collects what is wrong with the fields of one message.
struct FieldRules {
    /// Most UTF-8 bytes of an identifier.
    static let identifierLimit = 200
    /// 1970-01-01 up to, but not including, 10000-01-01, in seconds.
    private static let seconds: Range<Int64> = 0..<253_402_300_800

    private(set) var violations: [FieldViolation] = []

    mutating func violate(_ field: String, _ description: String) {
        violations.append(FieldViolation(field: field, description: description))
    }

    /// A UUID; `nil`, and a violation, for anything else.
    mutating func uuid(_ text: String, _ field: String) -> UUID? {
        if text.isEmpty {
            violate(field, "is required")
            return nil
        }
        guard let id = UUID(ascii: text.utf8.span) else {
            violate(field, "must be a UUID such as 0190a3f2-5d1c-7c3e-9f00-6a1b2c3d4e5f")
            return nil
        }
        return id
    }

    /// A name that stores compare byte by byte. Stores can't hold U+0000.
    mutating func identifier(_ text: String, _ field: String, ifSet: Bool = false) {
        let bytes = text.utf8
        if bytes.isEmpty {
            violate(field, ifSet ? "must not be empty if it is set" : "is required")
        } else if bytes.count > Self.identifierLimit {
            violate(
                field, "has \(bytes.count) bytes of UTF-8; \(Self.identifierLimit) are allowed")
        } else if bytes.contains(0) {
            violate(field, "must not contain U+0000")
        }
    }

    /// A time of the years 1970 to 9999, to the microsecond, what is finer cut off; `nil`, and a
    /// violation, for others.
    ///
    /// - Parameter isExact: refuses finer times, where cutting off would change what is meant.
    mutating func time(
        _ time: Google_Protobuf_Timestamp?, _ field: String, isExact: Bool = false
    ) -> Timestamp? {
        guard let time else {
            violate(field, "is required")
            return nil
        }
        guard Self.seconds.contains(time.seconds), 0..<1_000_000_000 ~= time.nanos else {
            violate(field, "must be a time of the years 1970 to 9999")
            return nil
        }
        if isExact && time.nanos % 1000 != 0 {
            violate(field, "must be a whole number of microseconds")
            return nil
        }
        return Timestamp(microseconds: time.seconds * 1_000_000 + Int64(time.nanos) / 1000)
    }
}

extension Google_Protobuf_Timestamp {
    init(_ time: Timestamp) {
        self.init()
        // Rounded down: `nanos` counts forward, also before 1970.
        let fraction = ((time.microseconds % 1_000_000) + 1_000_000) % 1_000_000
        seconds = (time.microseconds - fraction) / 1_000_000
        nanos = Int32(fraction * 1000)
    }
}

/// Why a payload is refused: what becomes a `Rejection` once record and stage are known.
struct Refusal: Error {
    var code: ErrorCode
    var reason: String
    var violations: [FieldViolation] = []

    /// All there are.
    static let codes: [ErrorCode] = [
        .invalidArgument, .malformed, .tooLarge, .unsupportedContentType,
    ]

    /// The fields hold what the rules do not allow: all of them, at once.
    static func invalid(_ violations: [FieldViolation]) -> Refusal {
        let reason = violations.map { "\($0.field) \($0.description)" }.joined(separator: "; ")
        return Refusal(code: .invalidArgument, reason: reason, violations: violations)
    }

    /// No answer could ever have been in time.
    static var deadlinePassed: Refusal {
        let reason = "had passed when the request was sent; leave it out to ask without one"
        return Refusal(
            code: .deadlinePassed, reason: "deadline \(reason)",
            violations: [FieldViolation(field: "deadline", description: reason)])
    }

    /// The payload is no message of its type. Reading stops at the first such error.
    static func unreadable(_ error: ProtobufError) -> Refusal {
        switch error.code {
        case .unknownField, .duplicateField,
            .invalidValue where !error.path.isEmpty:
            let violation = FieldViolation(field: error.path, description: error.message)
            return Refusal(
                code: .invalidArgument, reason: error.description,
                violations: error.path.isEmpty ? [] : [violation])
        default:
            return Refusal(code: .malformed, reason: error.description)
        }
    }

    func rejection(of record: Record, stage: String) -> Rejection {
        Rejection(record, stage: stage, code: code, reason: reason, violations: violations)
    }
}

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
