internal import Calendar
internal import PipelineCore
public import Specification

/// Times of day on days of the calendar, as five cron fields: `0 6 * * MON-FRI`.
///
/// Minute, hour, day of the month, month, day of the week; `*`, numbers, names, lists, ranges and
/// steps as in [crontab(5)](https://manpages.debian.org/bookworm/cron/crontab.5.en.html), the dialect of
/// Vixie cron. Where days of the month and of the week are both given, either is enough, unless one
/// of the two begins with `*` (`*`, `*/2`): then both must match, `0 6 */2 * MON` on Mondays with an
/// odd number only.
public struct CronExpression: Sendable, Hashable {
    public let text: String
    /// A bit a number that is allowed.
    let minutes: UInt64
    let hours: UInt64
    private let days: UInt64
    private let months: UInt64
    private let weekdays: UInt64
    private let isEitherDay: Bool

    /// Whether it goes on through all hours, and so follows the time that passes more than the
    /// clock.
    var isEveryHour: Bool { hours == 1 << 24 - 1 }

    /// - Parameter day: days since 1970-01-01.
    func includes(day: Int64) -> Bool {
        let date = CivilDate(daysSinceEpoch: day)
        guard months >> UInt64(date.month) & 1 == 1 else { return false }
        let isDay = days >> UInt64(date.day) & 1 == 1
        let weekday = CivilDate.weekday(daysSinceEpoch: day)
        let isWeekday = weekdays >> UInt64(weekday) & 1 == 1
        return isEitherDay ? isDay || isWeekday : isDay && isWeekday
    }

    /// The first minute of a day, from this one on, that it names; nil when there is none left.
    func minute(from minute: Int64) -> Int64? {
        var minute = minute
        while minute < 1440 {
            let hour = minute / 60
            if hours >> UInt64(hour) & 1 == 1 {
                let left = minutes >> UInt64(minute % 60)
                if left != 0 { return minute + Int64(left.trailingZeroBitCount) }
            }
            minute = (hour + 1) * 60
        }
        return nil
    }
}

extension CronExpression: TextValue {
    public static var kind: String { "cron expression" }
    public static var schema: JSON {
        [
            "type": "string", "pattern": #"^ *\S+( +\S+){4} *$"#,
            "examples": ["0 6 * * MON-FRI", "*/15 * * * *"],
        ]
    }

    public init(parsing text: String) throws(Refusal) {
        let fields = text.split(separator: " ")
        guard fields.count == 5 else {
            throw Refusal(
                .invalidValue,
                "has \(fields.count) field\(fields.count == 1 ? "" : "s"), not five",
                hint: "minute hour day-of-month month day-of-week: \"0 6 * * MON-FRI\"")
        }
        self.text = fields.joined(separator: " ")
        minutes = try CronField.minute.parse(fields[0])
        hours = try CronField.hour.parse(fields[1])
        days = try CronField.day.parse(fields[2])
        months = try CronField.month.parse(fields[3])
        weekdays = try CronField.weekday.parse(fields[4])
        isEitherDay = !fields[2].hasPrefix("*") && !fields[4].hasPrefix("*")
        // Leap days are at most eight years apart.
        let start = CivilDate(year: 2096, month: 1, day: 1).daysSinceEpoch
        guard (start..<start + 9 * 366).contains(where: includes(day:)) else {
            throw Refusal(
                .invalidValue, "never comes: no such month has that day",
                hint: "day-of-month is the third field, month the fourth")
        }
    }
}
