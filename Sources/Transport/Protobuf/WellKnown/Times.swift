internal import Calendar

extension Google_Protobuf_Timestamp {
    /// Seconds of the years 1 to 9999, the only ones that are valid.
    public static let validSeconds: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// - Parameters:
    ///   - secondsSince1970: Seconds since 1970-01-01T00:00:00Z, without leap seconds.
    ///   - nanoseconds: 0 to 999,999,999, counted forwards, in the years before 1970 too.
    public init(secondsSince1970: Int64, nanoseconds: Int32 = 0) {
        self.init()
        seconds = secondsSince1970
        nanos = nanoseconds
    }

    /// Whether seconds and nanoseconds are in their ranges. The binary format does not see to it.
    public var isValid: Bool {
        Self.validSeconds.contains(seconds) && (0..<1_000_000_000).contains(nanos)
    }

    /// Reads a time such as `2025-01-31T09:30:00.5Z` or `2025-01-31T10:30:00+01:00`.
    ///
    /// [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), with upper-case letters and without leap
    /// seconds, as ProtoJSON demands. Nil for other text and days that do not exist.
    public init?(rfc3339 text: String) {
        var scanner = TextScanner(text)
        guard let date = scanner.date(), scanner.take(UInt8(ascii: "T")),
            let secondOfDay = scanner.time(), let nanoseconds = scanner.nanoseconds(),
            let offset = scanner.offset(), scanner.isAtEnd
        else { return nil }
        self.init(
            secondsSince1970: date.daysSinceEpoch * 86_400 + Int64(secondOfDay - offset),
            nanoseconds: Int32(nanoseconds))
        guard isValid else { return nil }
    }

    /// The time in RFC 3339 with the offset `Z` and 0, 3, 6 or 9 digits of a second's fraction. Nil
    /// when it is not valid.
    public var rfc3339: String? {
        guard isValid else { return nil }
        let (days, second) = seconds.flooredDivision(by: 86_400)
        func two(_ value: Int64) -> String { value.padded(to: 2) }
        return CivilDate(daysSinceEpoch: days).text
            + "T" + two(second / 3600) + ":" + two(second / 60 % 60) + ":" + two(second % 60)
            + TextScanner.fraction(nanoseconds: Int(nanos)) + "Z"
    }

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        let expected = "a time such as \"2025-01-31T09:30:00Z\""
        self = try reader.parsedString(expected) { Self(rfc3339: $0) }
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        guard let text = rfc3339 else {
            throw ProtobufError(.unencodable, "the time is outside the years 1 to 9999")
        }
        writer.string(text)
    }
}

extension Google_Protobuf_Timestamp: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        (left.seconds, left.nanos) < (right.seconds, right.nanos)
    }
}

extension TextScanner {
    fileprivate mutating func date() -> CivilDate? {
        guard let (year, _) = digits(4...4), year > 0, take(UInt8(ascii: "-")),
            let month = twoDigits(1...12), take(UInt8(ascii: "-")), let day = twoDigits(1...31)
        else { return nil }
        let date = CivilDate(year: Int64(year), month: Int64(month), day: Int64(day))
        return CivilDate(daysSinceEpoch: date.daysSinceEpoch) == date ? date : nil
    }

    /// Seconds since midnight.
    fileprivate mutating func time() -> Int? {
        guard let hour = twoDigits(0...23), take(UInt8(ascii: ":")),
            let minute = twoDigits(0...59), take(UInt8(ascii: ":")),
            let second = twoDigits(0...59)
        else { return nil }
        return hour * 3600 + minute * 60 + second
    }

    /// Seconds east of Greenwich.
    fileprivate mutating func offset() -> Int? {
        if take(UInt8(ascii: "Z")) { return 0 }
        let isEast = take(UInt8(ascii: "+"))
        guard isEast || take(UInt8(ascii: "-")), let hours = twoDigits(0...23),
            take(UInt8(ascii: ":")), let minutes = twoDigits(0...59)
        else { return nil }
        return (hours * 60 + minutes) * (isEast ? 60 : -60)
    }
}

extension Google_Protobuf_Duration {
    /// About 10,000 years, in seconds: the longest duration that is valid.
    public static let maximumSeconds: Int64 = 315_576_000_000

    /// Fractions of a nanosecond are dropped.
    public init(_ duration: Swift.Duration) {
        self.init()
        seconds = duration.components.seconds
        nanos = Int32(duration.components.attoseconds / 1_000_000_000)
    }

    /// Whether seconds and nanoseconds are in their ranges and of one sign. The binary format does
    /// not see to it.
    public var isValid: Bool {
        seconds.magnitude <= Self.maximumSeconds && nanos.magnitude < 1_000_000_000
            && seconds.signum() * Int64(nanos.signum()) >= 0
    }

    /// The same as Swift's type.
    public var duration: Swift.Duration {
        .seconds(seconds) + .nanoseconds(Int64(nanos))
    }

    /// Reads a duration such as `1.5s`. Nil for other text.
    public init?(text: String) {
        var scanner = TextScanner(text)
        let isNegative = scanner.take(UInt8(ascii: "-"))
        guard let (seconds, _) = scanner.digits(1...12), let nanoseconds = scanner.nanoseconds(),
            scanner.take(UInt8(ascii: "s")), scanner.isAtEnd
        else { return nil }
        self.init()
        self.seconds = Int64(isNegative ? -seconds : seconds)
        nanos = Int32(isNegative ? -nanoseconds : nanoseconds)
        guard isValid else { return nil }
    }

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        let expected = "a duration in seconds such as \"1.5s\""
        self = try reader.parsedString(expected) { Self(text: $0) }
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        guard isValid else { throw ProtobufError(.unencodable, "the duration is out of range") }
        let sign = seconds < 0 || nanos < 0 ? "-" : ""
        let fraction = TextScanner.fraction(nanoseconds: Int(nanos.magnitude))
        writer.string("\(sign)\(seconds.magnitude)\(fraction)s")
    }
}

/// Scans text of a fixed format: times and durations.
private struct TextScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func take(_ character: UInt8) -> Bool {
        guard rest.first == character else { return false }
        rest.removeFirst()
        return true
    }

    /// Reads as many digits as allowed; nil when there are fewer than that.
    mutating func digits(_ allowed: ClosedRange<Int>) -> (value: Int, count: Int)? {
        var value = 0
        var count = 0
        while count < allowed.upperBound, let byte = rest.first, byte &- 0x30 < 10 {
            value = value * 10 + Int(byte - 0x30)
            count += 1
            rest.removeFirst()
        }
        return count >= allowed.lowerBound ? (value, count) : nil
    }

    /// Two digits that give a number within `range`.
    private mutating func twoDigits(_ range: ClosedRange<Int>) -> Int? {
        guard let (value, _) = digits(2...2), range.contains(value) else { return nil }
        return value
    }

    /// A fraction of a second of one to nine digits, in nanoseconds. None is 0, a bad one nil.
    mutating func nanoseconds() -> Int? {
        guard take(UInt8(ascii: ".")) else { return 0 }
        guard let (value, count) = digits(1...9) else { return nil }
        return (count..<9).reduce(value) { value, _ in value * 10 }
    }

    /// `.5` as `.500`: nothing, or 3, 6 or 9 digits.
    static func fraction(nanoseconds: Int) -> String {
        if nanoseconds == 0 { return "" }
        if nanoseconds % 1_000_000 == 0 { return "." + (nanoseconds / 1_000_000).padded(to: 3) }
        if nanoseconds % 1000 == 0 { return "." + (nanoseconds / 1000).padded(to: 6) }
        return "." + nanoseconds.padded(to: 9)
    }
}
