internal import PipelineCore

extension Timestamp {
    static var hour: Int64 { 3_600_000_000 }
    static var day: Int64 { 86_400_000_000 }

    /// The first instant of the hour (UTC). Not before 1970.
    var startOfHour: Timestamp {
        Timestamp(microseconds: microseconds - microseconds % Self.hour)
    }

    /// The year and month (1 to 12) in UTC.
    /// [Algorithm](https://howardhinnant.github.io/date_algorithms.html)
    var month: CalendarMonth {
        let days = microseconds.quotientFloored(by: Self.day) + 719_468
        let era = days.quotientFloored(by: 146_097)
        let dayOfEra = days - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return CalendarMonth(
            year: Int(yearOfEra + era * 400 + (month <= 2 ? 1 : 0)), month: Int(month))
    }
}

/// A month of the proleptic Gregorian calendar, in UTC.
struct CalendarMonth: Sendable, Hashable, Comparable {
    var year: Int
    /// 1 to 12.
    var month: Int

    /// Months since year 0; neighbours differ by 1.
    var index: Int { year * 12 + month - 1 }

    init(year: Int, month: Int) {
        self.year = year
        self.month = month
    }

    init(index: Int) {
        self.init(year: index / 12, month: index % 12 + 1)
    }

    func advanced(by months: Int) -> CalendarMonth { CalendarMonth(index: index + months) }

    static func < (a: CalendarMonth, b: CalendarMonth) -> Bool { a.index < b.index }

    /// `2026-10-01 00:00:00+00`, as PostgreSQL reads it.
    var firstInstant: String { "\(digits(year, 4))-\(digits(month, 2))-01 00:00:00+00" }

    /// `2026_10`.
    var suffix: String { "\(digits(year, 4))_\(digits(month, 2))" }

    private func digits(_ value: Int, _ width: Int) -> String {
        let text = String(value)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

extension Int64 {
    fileprivate func quotientFloored(by divisor: Int64) -> Int64 {
        self >= 0 ? self / divisor : (self + 1) / divisor - 1
    }
}
