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
    func seconds(in year: Int64) -> Int64 { day.days(in: year) * 86_400 + time }
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
