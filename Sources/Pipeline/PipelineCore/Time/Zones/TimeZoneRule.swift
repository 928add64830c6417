internal import Calendar

/// How a zone's offset changes every year, as the footer of its file says it:
/// `CET-1CEST,M3.5.0,M10.5.0/3` ([POSIX](https://www.rfc-editor.org/rfc/rfc9636#section-3.3.1)).
struct TimeZoneRule: Equatable {
    enum Day: Equatable {
        /// Of 1 to 365, leap days not counted.
        case ofYear(Int64)
        /// Of 0 to 365, leap days counted.
        case counted(Int64)
        /// The week's number (5: the last) of a month's weekday, 0 being Sunday.
        case ofMonth(month: Int64, week: Int64, weekday: Int64)
    }
    struct Switch: Equatable {
        var day: Day
        /// Seconds after midnight, on the clock as it is before.
        var time: Int64
    }
    struct Summer: Equatable {
        var offset: Int64
        var start: Switch
        var end: Switch
    }

    /// Seconds east of UTC.
    var standardOffset: Int64
    var summer: Summer?

    /// The two changes of a year, or the one offset there is.
    func changes(of year: Int64) -> [TimeZone.Change] {
        guard let summer else {
            let start = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch * 86_400
            return [.init(instant: start - standardOffset, offset: standardOffset)]
        }
        return [
            .init(
                instant: summer.start.seconds(in: year) - standardOffset, offset: summer.offset),
            .init(instant: summer.end.seconds(in: year) - summer.offset, offset: standardOffset),
        ]
    }
}

extension TimeZoneRule.Switch {
    /// On the local clock, since the epoch's midnight.
    fileprivate func seconds(in year: Int64) -> Int64 { day.days(in: year) * 86_400 + time }
}

extension TimeZoneRule.Day {
    fileprivate func days(in year: Int64) -> Int64 {
        let newYear = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
        switch self {
        case .ofYear(let day):
            let march = CivilDate(year: year, month: 3, day: 1).daysSinceEpoch
            return newYear + day - 1 + (day >= 60 ? march - newYear - 59 : 0)
        case .counted(let day): return newYear + day
        case .ofMonth(let month, let week, let weekday):
            let first = CivilDate(year: year, month: month, day: 1).daysSinceEpoch
            let next =
                month == 12
                ? CivilDate(year: year + 1, month: 1, day: 1).daysSinceEpoch
                : CivilDate(year: year, month: month + 1, day: 1).daysSinceEpoch
            let shift = (weekday - CivilDate.weekday(daysSinceEpoch: first) + 7) % 7
            let day = first + shift + 7 * (week - 1)
            return day < next ? day : day - 7
        }
    }
}

extension TimeZoneRule {
    /// - Returns: nil for what does not follow the grammar.
    init?(_ text: String) {
        var scanner = Scanner(rest: text.utf8[...])
        guard scanner.skipName(), let offset = scanner.time() else { return nil }
        standardOffset = -offset
        if scanner.rest.isEmpty { return }
        guard scanner.skipName() else { return nil }
        var summerOffset = standardOffset + 3600
        if scanner.rest.first != UInt8(ascii: ",") {
            guard let offset = scanner.time() else { return nil }
            summerOffset = -offset
        }
        guard let start = scanner.change(), let end = scanner.change(), scanner.rest.isEmpty
        else { return nil }
        summer = Summer(offset: summerOffset, start: start, end: end)
    }

    private struct Scanner {
        var rest: Substring.UTF8View

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard rest.first == UInt8(ascii: character) else { return false }
            rest.removeFirst()
            return true
        }

        /// Letters, or anything in angle brackets.
        mutating func skipName() -> Bool {
            if skip("<") {
                guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                rest = rest[rest.index(after: end)...]
                return true
            }
            let letters = rest.prefix { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }
            rest = rest[letters.endIndex...]
            return letters.count >= 3
        }

        mutating func number(in range: ClosedRange<Int64>) -> Int64? {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            rest = rest[digits.endIndex...]
            guard let number = Int64(String(Substring(digits))), range.contains(number)
            else { return nil }
            return number
        }

        /// `[+-]hh[:mm[:ss]]` in seconds.
        mutating func time() -> Int64? {
            let isNegative = skip("-")
            if !isNegative { _ = skip("+") }
            guard let hours = number(in: 0...167) else { return nil }
            var seconds = hours * 3600
            for unit in [60, 1] as [Int64] where skip(":") {
                guard let part = number(in: 0...59) else { return nil }
                seconds += part * unit
            }
            return isNegative ? -seconds : seconds
        }

        /// `,day[/time]`.
        mutating func change() -> Switch? {
            guard skip(","), let day = day() else { return nil }
            if !skip("/") { return Switch(day: day, time: 7200) }
            return time().map { Switch(day: day, time: $0) }
        }

        private mutating func day() -> Day? {
            if skip("J") { return number(in: 1...365).map(Day.ofYear) }
            if !skip("M") { return number(in: 0...365).map(Day.counted) }
            guard let month = number(in: 1...12), skip("."), let week = number(in: 1...5),
                skip("."), let weekday = number(in: 0...6)
            else { return nil }
            return .ofMonth(month: month, week: week, weekday: weekday)
        }
    }
}
