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
