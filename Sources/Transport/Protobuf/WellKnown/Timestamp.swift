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
            secondsSince1970: Int64(date.daysSince1970 * 86_400 + secondOfDay - offset),
            nanoseconds: Int32(nanoseconds))
        guard isValid else { return nil }
    }

    /// The time in RFC 3339 with the offset `Z` and 0, 3, 6 or 9 digits of a second's fraction. Nil
    /// when it is not valid.
    public var rfc3339: String? {
        guard isValid else { return nil }
        // Rounded down, in the years before 1970 too.
        let days = Int(seconds >= 0 ? seconds / 86_400 : (seconds + 1) / 86_400 - 1)
        let date = CivilDate(daysSince1970: days)
        let second = Int(seconds) - days * 86_400
        func two(_ value: Int) -> String { TextScanner.padded(value, 2) }
        return TextScanner.padded(date.year, 4) + "-" + two(date.month) + "-" + two(date.day)
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
        let date = CivilDate(year: year, month: month, day: day)
        return CivilDate(daysSince1970: date.daysSince1970) == date ? date : nil
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
