internal import Glibc

/// A point of time in the parts that people write it in, in UTC; leap seconds are not counted.
public struct CivilTime: Sendable, Hashable {
    public let date: CivilDate
    /// Seconds since midnight.
    public let secondOfDay: Int64
    /// 0 to 999,999.
    public let microsecond: Int64

    /// - Parameter microseconds: since 1970-01-01T00:00:00Z.
    public init(microsecondsSinceEpoch microseconds: Int64) {
        let (seconds, microsecond) = microseconds.flooredDivision(by: 1_000_000)
        let (days, second) = seconds.flooredDivision(by: 86_400)
        date = CivilDate(daysSinceEpoch: days)
        secondOfDay = second
        self.microsecond = microsecond
    }

    /// The machine's civil time, in microseconds since 1970-01-01T00:00:00Z.
    public static var microsecondsNow: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// `06:00`.
    public var minutes: String {
        "\((secondOfDay / 3600).padded(to: 2)):\((secondOfDay / 60 % 60).padded(to: 2))"
    }
    /// `06:00:07`.
    public var seconds: String { "\(minutes):\((secondOfDay % 60).padded(to: 2))" }

    /// How a fraction of a second is written.
    public enum Fraction: Sendable {
        /// Six digits, always.
        case microseconds
        /// Six digits, unless all are zero.
        case microsecondsUnlessZero
        /// As few digits as say it.
        case shortest
    }

    /// `2026-11-24T06:00:07.250000Z`, see [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339).
    public func rfc3339(_ fraction: Fraction) -> String {
        "\(date.text)T\(seconds)\(digits(fraction))Z"
    }

    private func digits(_ fraction: Fraction) -> String {
        if microsecond == 0, fraction != .microseconds { return "" }
        var digits = "." + microsecond.padded(to: 6)
        if fraction == .shortest { while digits.hasSuffix("0") { digits.removeLast() } }
        return digits
    }
}

extension CivilDate {
    /// `2026-11-24`.
    public var text: String {
        "\(year.padded(to: 4))-\(month.padded(to: 2))-\(day.padded(to: 2))"
    }
}

extension BinaryInteger {
    /// The number's digits, with zeros before them up to a width.
    public func padded(to width: Int, radix: Int = 10, uppercase: Bool = false) -> String {
        let digits = String(self, radix: radix, uppercase: uppercase)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

extension Duration {
    /// Whole nanoseconds, towards zero; saturates.
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return scaled + attoseconds / 1_000_000_000
    }
    /// Whole microseconds, towards zero; saturates.
    public var wholeMicroseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return scaled + attoseconds / 1_000_000_000_000
    }
    /// Whole milliseconds, towards zero; saturates.
    public var wholeMilliseconds: Int64 { wholeMicroseconds / 1000 }
}
