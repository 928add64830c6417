internal import Calendar
internal import ConfigurationDiagnostics
public import ConfigurationFields
public import LocatedJSON
internal import PipelineCore

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

/// One of the five fields of a cron expression: which numbers may stand there, and what they are
/// called.
struct CronField: Sendable {
    let name: String
    let range: ClosedRange<Int>
    /// Short names of the numbers from the range's start on.
    var names: [String] = []

    static let minute = CronField(name: "minute", range: 0...59)
    static let hour = CronField(name: "hour", range: 0...23)
    static let day = CronField(name: "day-of-month", range: 1...31)
    static let month = CronField(
        name: "month", range: 1...12,
        names: [
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ])
    /// 7 is Sunday as well.
    static let weekday = CronField(
        name: "day-of-week", range: 0...7,
        names: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])

    /// The numbers that a field's text means, as bits.
    func parse(_ text: Substring) throws(Refusal) -> UInt64 {
        var bits: UInt64 = 0
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            bits |= try parse(item: item, in: text)
        }
        // The last bit is Sunday's second.
        return names.first == "SUN" ? (bits | bits >> 7) & 0x7F : bits
    }

    /// `*`, `5`, `MON`, `1-5`, `MON-FRI`, and a step behind `*` or a range: `*/15`, `8-18/2`.
    private func parse(item: Substring, in text: Substring) throws(Refusal) -> UInt64 {
        let parts = item.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bounds = parts[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        let first: Int
        var last: Int
        if parts[0] == "*" {
            (first, last) = (range.lowerBound, range.upperBound)
        } else {
            first = try number(bounds[0], in: text)
            last = bounds.count == 2 ? try number(bounds[1], in: text) : first
            // Up to Sunday is up to the end of the week.
            if bounds.count == 2, names.first == "SUN", first > 0, last == 0 { last = 7 }
        }
        guard first <= last else {
            throw refusal("with a range that runs backwards", of: text)
        }
        guard parts.count == 2 else { return Self.bits(first, last, step: 1) }
        guard let step = Self.plainNumber(parts[1]), step > 0 else {
            throw refusal("with a step that is not a number above zero", of: text)
        }
        guard parts[0] == "*" || bounds.count == 2 else {
            throw Refusal(
                .invalidValue,
                "has \(JSON.quoted(String(text))) as its \(name), a step without a range",
                hint: "write \(first)-\(range.upperBound)/\(step)")
        }
        return Self.bits(first, last, step: step)
    }

    private static func bits(_ first: Int, _ last: Int, step: Int) -> UInt64 {
        stride(from: first, through: last, by: step).reduce(0) { $0 | 1 << UInt64($1) }
    }

    /// Digits only, and few enough for an `Int`.
    private static func plainNumber(_ text: Substring) -> Int? {
        guard text.utf8.count <= 9, text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int(text)
    }

    private func number(_ text: Substring, in field: Substring) throws(Refusal) -> Int {
        if let number = Self.plainNumber(text) {
            if range.contains(number) { return number }
            throw Refusal(
                .outOfRange,
                "has \(JSON.quoted(String(field))) as its \(name), which is out of range",
                hint: "\(name): \(range.lowerBound) to \(range.upperBound)")
        }
        if let index = names.firstIndex(of: text.uppercased()) { return range.lowerBound + index }
        throw refusal("", of: field, word: String(text))
    }

    private func refusal(_ fault: String, of text: Substring, word: String? = nil) -> Refusal {
        let numbers = "\(range.lowerBound) to \(range.upperBound)"
        var hint = "\(name): * or \(numbers)"
        if let first = names.first, let last = names.last { hint += " or \(first) to \(last)" }
        hint += ", lists (1,3), ranges (1-3), steps (*/2)"
        if let word, let nearest = Suggestion.nearest(to: word, among: names) {
            hint = "did you mean \(JSON.quoted(nearest))? (\(hint))"
        }
        let quoted = JSON.quoted(String(text))
        return Refusal(
            .invalidValue,
            "has \(quoted) as its \(name)" + (fault.isEmpty ? ", which is not one" : ", \(fault)"),
            hint: hint)
    }
}
