import Batching
import ConfigurationFields
import PipelineCore
import PipelineTesting
import Testing

@Suite("A cron schedule")
struct CronTests {
    private func schedule(_ text: String, _ zone: String = "UTC") throws -> CronSchedule {
        CronSchedule(try CronExpression(parsing: text), in: try TimeZone(parsing: zone))
    }

    /// Some ticks after an instant.
    private func ticks(
        _ text: String, _ zone: String = "UTC", after: String, count: Int = 3
    ) throws -> [String] {
        let schedule = try schedule(text, zone)
        var instant = try Timestamp(parsing: after)
        return try (0..<count).map { _ in
            instant = try #require(schedule.next(after: instant))
            return instant.text
        }
    }

    @Test("ticks after an instant, never at it")
    func after() throws {
        #expect(
            try ticks("0 6 * * *", after: "2026-01-01T06:00:00Z", count: 2)
                == ["2026-01-02T06:00:00Z", "2026-01-03T06:00:00Z"])
        let just = Timestamp(
            microseconds: try Timestamp(parsing: "2026-01-01T06:00:00Z").microseconds - 1)
        #expect(try schedule("0 6 * * *").next(after: just)?.text == "2026-01-01T06:00:00Z")
    }

    @Test(
        "takes either day where both are given, and both where one begins with a star, as Vixie cron does"
    )
    func days() throws {
        #expect(
            try ticks("0 0 13 * FRI", after: "2026-03-01T00:00:00Z")
                == ["2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z"])
        #expect(
            try ticks("0 0 */10 * MON", after: "2026-03-01T12:00:00Z")
                == ["2026-05-11T00:00:00Z", "2026-06-01T00:00:00Z", "2026-08-31T00:00:00Z"])
        #expect(
            try ticks("0 0 13 * */5", after: "2026-03-01T12:00:00Z")
                == ["2026-03-13T00:00:00Z", "2026-09-13T00:00:00Z", "2026-11-13T00:00:00Z"])
        #expect(
            try ticks("0 0 2-31/2 * MON", after: "2026-03-01T12:00:00Z")
                == ["2026-03-02T00:00:00Z", "2026-03-04T00:00:00Z", "2026-03-06T00:00:00Z"])
        #expect(
            try ticks("0 0 29 2 *", after: "2026-01-01T00:00:00Z", count: 2)
                == ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"])
        #expect(
            try ticks("0 0 29 2 *", after: "2096-03-01T00:00:00Z", count: 1)
                == ["2104-02-29T00:00:00Z"])
    }

    @Test("knows Sunday as 0, as 7 and by name")
    func sunday() throws {
        for text in ["0 0 * * 0", "0 0 * * 7", "0 0 * * sun", "0 0 * * Sun-SUN/9"] {
            #expect(
                try ticks(text, after: "2026-01-01T00:00:00Z", count: text.contains("/") ? 1 : 2)[0]
                    == "2026-01-04T00:00:00Z")
        }
        #expect(
            try ticks("0 0 * * FRI-SUN", after: "2026-01-01T00:00:00Z", count: 4).map {
                $0.prefix(10)
            }
                == ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-09"])
    }

    @Test("makes up for a half-hour gap, and skips a half hour that comes twice")
    func halfHours() throws {
        // Lord Howe goes from 02:00 to 02:30 on 4 October and back to 01:30 on 5 April.
        #expect(
            try ticks("15 2 * * *", "Australia/Lord_Howe", after: "2026-10-02T20:00:00Z", count: 2)
                == ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"])
        #expect(
            try ticks("45 1 * * *", "Australia/Lord_Howe", after: "2026-04-04T00:00:00Z", count: 2)
                == ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"])
    }

    @Test("makes up for a day that a zone has left out")
    func dateLine() throws {
        // Samoa had no 30 December 2011.
        #expect(
            try ticks("0 12 30 * *", "Pacific/Apia", after: "2011-12-01T12:00:00Z", count: 2)
                == ["2011-12-30T10:00:00Z", "2012-01-29T22:00:00Z"])
    }

    @Test(
        "says how far its ticks can lie apart",
        arguments: [
            ("*/15 * * * *", "UTC", "15m"), ("0 6 * * *", "UTC", "24h"),
            ("0 6 * * MON-FRI", "UTC", "3d"), ("5 8-18/5 * * *", "UTC", "14h"),
            ("0 0 1 * *", "UTC", "31d"), ("0 0 29 2 *", "UTC", "1461d"),
            // A day of 25 hours.
            ("0 6 * * *", "Europe/Berlin", "25h"),
            // What ticks only once where the hour comes twice.
            ("*/30 2,3 * * *", "Europe/Berlin", "22h30m"), ("*/15 * * * *", "Europe/Berlin", "15m"),
        ])
    func gaps(_ text: String, _ zone: String, _ longest: String) throws {
        #expect(try schedule(text, zone).longestGap.text == longest)
    }

    @Test("never has two ticks further apart than it says, nor out of order")
    func ticksAndGaps() throws {
        for (text, zone) in [
            ("30 2 * * *", "America/New_York"), ("7 */5 * * MON", "Europe/London"),
            ("0 0 1,15 * *", "Africa/Casablanca"), ("*/20 1-3 * 3,10 *", "Europe/Berlin"),
        ] {
            let schedule = try schedule(text, zone)
            let longest = schedule.longestGap
            var last = try Timestamp(parsing: "2025-01-01T00:00:00Z")
            last = try #require(schedule.next(after: last))
            for _ in 0..<1500 where last < (try Timestamp(parsing: "2031-01-01T00:00:00Z")) {
                let next = try #require(schedule.next(after: last))
                #expect(next > last && last.duration(to: next) <= longest, "\(text) \(last.text)")
                last = next
            }
        }
    }

    @Test(
        "refuses what is no schedule and names the field",
        arguments: [
            ("0 6 * *", "has 4 fields, not five"),
            ("", "has 0 fields, not five"),
            ("@daily", "has 1 field, not five"),
            ("60 6 * * *", #"has "60" as its minute, which is out of range"#),
            ("0 25 * * *", #"has "25" as its hour, which is out of range"#),
            ("0 6 0 * *", #"has "0" as its day-of-month, which is out of range"#),
            ("0 6 * 13 *", #"has "13" as its month, which is out of range"#),
            ("0 6 * * 8", #"has "8" as its day-of-week, which is out of range"#),
            ("0 6 * * MOM", #"has "MOM" as its day-of-week, which is not one"#),
            ("0 6 L * *", #"has "L" as its day-of-month, which is not one"#),
            (
                "0 6 * * FRI-MON",
                #"has "FRI-MON" as its day-of-week, with a range that runs backwards"#
            ),
            ("5-1 6 * * *", #"has "5-1" as its minute, with a range that runs backwards"#),
            (
                "*/0 * * * *",
                #"has "*/0" as its minute, with a step that is not a number above zero"#
            ),
            ("5/10 * * * *", #"has "5/10" as its minute, a step without a range"#),
            ("1,,2 * * * *", #"has "1,,2" as its minute, which is not one"#),
            ("1- * * * *", #"has "1-" as its minute, which is not one"#),
            ("-1 * * * *", #"has "-1" as its minute, which is not one"#),
            (
                "99999999999999999999 * * * *",
                #"has "99999999999999999999" as its minute, which is not one"#
            ),
            ("0 0 30 2 *", "never comes: no such month has that day"),
            ("0 0 31 4,6,9,11 *", "never comes: no such month has that day"),
        ])
    func refusals(_ text: String, _ message: String) {
        let refusal = #expect(throws: Refusal.self) { try CronExpression(parsing: text) }
        #expect(refusal?.message == message)
        #expect(refusal?.hint != nil)
    }

    @Test("survives any text")
    func fuzz() {
        var random = SplitMix64(seed: 5)
        let letters = Array("0123456789*,-/ MONFRISUNJAL#?W\t")
        for _ in 0..<20_000 {
            let text = String(
                (0..<Int.random(in: 0...20, using: &random)).map { _ in
                    letters.randomElement(using: &random)!
                })
            if let expression = try? CronExpression(parsing: text) {
                #expect(CronSchedule(expression).next(after: Timestamp(microseconds: 0)) != nil)
            }
        }
    }
}
