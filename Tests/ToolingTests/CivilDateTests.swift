import Calendar
import Testing

@Suite("Civil dates")
struct CivilDateTests {
    @Test("are counted from 1970-01-01, a Thursday, and back")
    func roundTrip() {
        #expect(CivilDate(year: 1970, month: 1, day: 1).daysSinceEpoch == 0)
        #expect(CivilDate(year: 2000, month: 2, day: 29).daysSinceEpoch == 11_016)
        #expect(CivilDate.weekday(daysSinceEpoch: 0) == 4)
        #expect(CivilDate.weekday(daysSinceEpoch: -5) == 6)
        var date = CivilDate(daysSinceEpoch: -80_000)
        for days in Int64(-79_999)...80_000 {
            let next = CivilDate(daysSinceEpoch: days)
            #expect(next.daysSinceEpoch == days)
            let follows =
                next.day == date.day + 1 && next.month == date.month
                || next.day == 1 && date.day >= 28 && next.month == date.month % 12 + 1
            if !follows { Issue.record("\(next) after \(date)") }
            date = next
        }
    }

    @Test("have leap days where the calendar has them")
    func leapDays() {
        for (year, days) in [(2024, 366), (2026, 365), (1900, 365), (2000, 366)] as [(Int64, Int64)]
        {
            let start = CivilDate(year: year, month: 1, day: 1).daysSinceEpoch
            #expect(CivilDate(year: year + 1, month: 1, day: 1).daysSinceEpoch - start == days)
        }
    }
}
