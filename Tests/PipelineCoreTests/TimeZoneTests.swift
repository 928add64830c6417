import Calendar
import ConfigurationFields
import Testing

@testable import PipelineCore

@Suite("Time zones")
struct TimeZoneTests {
    private func zone(_ name: String) throws -> TimeZone {
        try #require(TimeZoneDatabase.system.zone(named: name), "is tzdata installed?")
    }

    private func second(
        _ year: Int64, _ month: Int64, _ day: Int64, _ hour: Int64 = 0, _ minute: Int64 = 0
    ) -> Int64 {
        CivilDate(year: year, month: month, day: day).daysSinceEpoch * 86_400 + hour * 3600
            + minute * 60
    }

    @Test("know what the clocks show, and when that changes")
    func berlin() throws {
        let zone = try zone("Europe/Berlin")
        let summer = zone.period(at: second(2026, 7, 1))
        #expect(
            summer
                == TimeZone.Period(
                    start: second(2026, 3, 29, 1), end: second(2026, 10, 25, 1), offset: 7200,
                    previousOffset: 3600))
        #expect(zone.period(at: summer.start - 1).offset == 3600)
        #expect(zone.period(at: summer.end).previousOffset == 7200)
        #expect(zone.period(at: second(1970, 1, 1)).offset == 3600)
        let first = zone.period(at: second(1800, 1, 1))
        #expect(first.offset == 3208 && first.start == .min)
    }

    @Test("go on by the rule that their file ends with")
    func farAhead() throws {
        let zone = try zone("Europe/Berlin")
        #expect(zone.period(at: second(2150, 7, 1)).offset == 7200)
        #expect(zone.period(at: second(2150, 1, 1)).offset == 3600)
        #expect(zone.period(at: second(2150, 7, 1)).start == second(2150, 3, 29, 1))
        let south = try self.zone("Australia/Lord_Howe")
        #expect(south.period(at: second(2100, 1, 1)).offset == 11 * 3600)
        #expect(south.period(at: second(2100, 7, 1)).offset == 10 * 3600 + 1800)
    }

    @Test("have no gap between their periods", arguments: ["Africa/Casablanca", "Pacific/Apia"])
    func chain(_ name: String) throws {
        let zone = try zone(name)
        var period = zone.period(at: .min)
        var count = 0
        while period.end < .max {
            let next = zone.period(at: period.end)
            #expect(next.start == period.end && next.previousOffset == period.offset)
            #expect(next.offset != period.offset)
            period = next
            count += 1
        }
        #expect(count > 10)
    }

    @Test("are all readable")
    func all() {
        let names = TimeZoneDatabase.system.names()
        #expect(names.count > 500 && names.contains("Arctic/Longyearbyen"))
        for name in names { #expect(TimeZoneDatabase.system.zone(named: name) != nil, "\(name)") }
    }

    @Test(
        "have rules in every form that the standard allows",
        arguments: [
            ("UTC0", 0, 0), ("<-03>3", -10800, -10800), ("<+0545>-5:45", 20700, 20700),
            ("NZST-12NZDT,M9.5.0,M4.1.0/3", 46800, 43200),
            ("EST5EDT,J60,J300/3:30", -18000, -14400),
            ("IST-1GMT0,M10.5.0,M3.5.0/1", 0, 3600), ("XXX3EDT4,0/0,J365/23", -14400, -14400),
        ])
    func rules(_ text: String, january: Int64, july: Int64) throws {
        let rule = try #require(TimeZoneRule(text))
        let zone = TimeZone(
            name: text, firstOffset: rule.standardOffset,
            changes: (2020...2030).flatMap(rule.changes))
        #expect(zone.period(at: second(2026, 1, 15)).offset == january)
        #expect(zone.period(at: second(2026, 7, 15)).offset == july)
    }

    @Test(
        "refuse rules that are none",
        arguments: ["", "A1", "EST", "EST5EDT,", "EST5EDT,M13.1.0,M1.1.0", "EST5EDT,M3.2.0", "<X5"])
    func badRules(_ text: String) { #expect(TimeZoneRule(text) == nil) }

    @Test(
        "refuse names that lead elsewhere",
        arguments: ["../passwd", "/etc/passwd", "", "Europe//Berlin", "Europe", "tzdata.zi"])
    func badNames(_ name: String) { #expect(TimeZoneDatabase.system.zone(named: name) == nil) }

    @Test("refuse damaged files and never crash on them")
    func damagedFiles() throws {
        var good: [UInt8] = Array("TZif2".utf8) + [UInt8](repeating: 0, count: 39)
        good += good
        good[44 + 39] = 1  // one type
        good[44 + 43] = 1  // one character
        good += [0, 0, 14, 16, 0, 0, 0] + Array("\nCET-1\n".utf8)
        #expect(TimeZoneFile(good)?.firstOffset == 3600)
        for length in 0..<good.count - 7 { #expect(TimeZoneFile(Array(good[..<length])) == nil) }
        var random = SplitMix64(seed: 3)
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<3 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            _ = TimeZoneFile(bytes)
        }
    }

    @Test("say the nearest name for one that is unknown")
    func nearest() {
        let refusal = #expect(throws: Refusal.self) { try TimeZone(parsing: "Europe/Berlim") }
        #expect(refusal?.message == "is not a time zone")
        #expect(refusal?.hint == #"did you mean "Europe/Berlin"?"#)
        #expect(throws: Refusal.self) { try TimeZone(parsing: "Middle-earth/Bree") }
    }
}
