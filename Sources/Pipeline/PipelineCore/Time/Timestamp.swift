internal import Calendar

/// A point of civil time: microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
public struct Timestamp: Sendable, Hashable, Comparable {
    public var microseconds: Int64
    public init(microseconds: Int64) { self.microseconds = microseconds }

    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.microseconds < b.microseconds }

    /// 1970-01-01T00:00:00Z. Of a record: nobody says when it was produced.
    public static var epoch: Timestamp { Timestamp(microseconds: 0) }

    /// Drops what is less than a microsecond; saturates at the ends of time.
    public func advanced(by duration: Duration) -> Timestamp {
        let (sum, overflow) = microseconds.addingReportingOverflow(duration.wholeMicroseconds)
        return Timestamp(microseconds: overflow ? (duration < .zero ? .min : .max) : sum)
    }

    /// Saturates.
    public func duration(to other: Timestamp) -> Duration {
        let (between, overflow) = other.microseconds.subtractingReportingOverflow(microseconds)
        return .microseconds(overflow ? (other < self ? .min : .max) : between)
    }
}

extension Duration {
    /// Seconds with their fraction, for metrics and logs.
    public var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
    public static func hours(_ hours: Int64) -> Duration { .seconds(hours * 3600) }
    public static func minutes(_ minutes: Int64) -> Duration { .seconds(minutes * 60) }
}
