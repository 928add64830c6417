extension Google_Protobuf_Duration {
    /// About 10,000 years, in seconds: the longest duration that is valid.
    public static let maximumSeconds: Int64 = 315_576_000_000

    /// Fractions of a nanosecond are dropped.
    public init(_ duration: Swift.Duration) {
        self.init()
        seconds = duration.components.seconds
        nanos = Int32(duration.components.attoseconds / 1_000_000_000)
    }

    /// Whether seconds and nanoseconds are in their ranges and of one sign. The binary format does not
    /// see to it.
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
