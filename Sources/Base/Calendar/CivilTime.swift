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

/// A day of the proleptic Gregorian calendar.
public struct CivilDate: Sendable, Hashable {
    public var year: Int64
    /// 1 to 12.
    public var month: Int64
    /// 1 to 31.
    public var day: Int64

    public init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The day so many days after 1970-01-01, counted in eras of 400 years that begin on the first
    /// of March
    /// ([algorithm](https://howardhinnant.github.io/date_algorithms.html#civil_from_days)).
    public init(daysSinceEpoch days: Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days after 1970-01-01 (the inverse).
    public var daysSinceEpoch: Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredDivision(by: 400)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
            - 719_468
    }

    /// The day of the week of that many days after 1970-01-01, a Thursday: 0 is Sunday.
    public static func weekday(daysSinceEpoch days: Int64) -> Int64 {
        (days + 4).flooredDivision(by: 7).remainder
    }
}

extension Int64 {
    /// The quotient rounded towards the past, and what is left, never negative.
    ///
    /// - Parameter divisor: greater than zero.
    public func flooredDivision(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
