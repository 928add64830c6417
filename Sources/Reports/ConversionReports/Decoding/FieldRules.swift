internal import PipelineCore
internal import Protobuf

/// Collects what is wrong with the fields of one message.
struct FieldRules {
    /// Most UTF-8 bytes of an identifier.
    static let identifierLimit = 200
    /// 1970-01-01 up to, but not including, 10000-01-01, in seconds.
    static let seconds: Range<Int64> = 0..<253_402_300_800

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
