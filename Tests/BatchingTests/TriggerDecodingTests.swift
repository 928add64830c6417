import Batching
import ConfigurationDiagnostics
import ConfigurationFields
import LocatedJSON
import PipelineCore
import PipelineTesting
import Testing

@Suite("A trigger in a file")
struct TriggerDecodingTests {
    private struct Holder: Settings {
        static let summary = "Holds a trigger."
        let trigger: Trigger
        init(_ field: Fields) { trigger = field("trigger", "The rule.", example: .manual) }
    }

    private func decode(_ text: String) throws -> Trigger {
        try Holder.decode(try JSON(parsing: #"{"trigger": \#(text)}"#)).trigger
    }

    private func problems(_ text: String) -> [String] {
        do {
            _ = try decode(text)
            return []
        } catch let problems as Diagnostics {
            return problems.list.map {
                "\($0.path?.description ?? "") \($0.code.rawValue): \($0.message)"
                    + ($0.hint.map { " | \($0)" } ?? "")
            }
        } catch { return ["\(error)"] }
    }

    @Test(
        "comes out as it went in",
        arguments: [
            #"{"idle":"5m"}"#, #"{"every":"15m"}"#, #"{"cron":"0 6 * * MON-FRI"}"#,
            #"{"cron":"0 6 * * MON-FRI","zone":"Europe/Berlin"}"#,
            #"{"any":[{"count":5},{"all":[{"idle":"1m"},{"manual":true}]}]}"#,
        ])
    func roundTrip(_ text: String) throws { #expect(try decode(text).json.written() == text) }

    @Test("has a schedule of UTC unless it names a zone")
    func zones() throws {
        let plain = try decode(#"{"cron": "0  6 * * *"}"#)
        #expect(try decode(#"{"cron": "0 6 * * *", "zone": "UTC"}"#) == plain)
        #expect(try decode(#"{"zone": "Europe/Berlin", "cron": "0 6 * * *"}"#) != plain)
    }

    @Test("is refused with the place and the reason, all at once")
    func refusals() {
        #expect(
            problems(#"{"cron": "0 25 * * *", "zone": "Europe/Berlim"}"#) == [
                #"$.trigger.cron out-of-range: "0 25 * * *" has "25" as its hour, which is out of range | hour: 0 to 23"#,
                #"$.trigger.zone invalid-value: "Europe/Berlim" is not a time zone | did you mean "Europe/Berlin"?"#,
            ])
        #expect(
            problems(#"{"any": [{"idle": "0s"}, {"every": "soon"}]}"#).map {
                $0.split(separator: ":")[0]
            }
                == ["$.trigger.any[0].idle out-of-range", "$.trigger.any[1].every wrong-type"])
        #expect(
            problems(#"{"cron": "0 6 * * *", "count": 5}"#).first?.contains("has 2 keys, not one")
                == true)
        #expect(
            problems(#"{"cron": "0 6 * * *", "zome": "UTC"}"#).first?.contains(
                #"unknown key "zome""#) == true)
        #expect(
            problems(#"{"count": 5, "zone": "UTC"}"#).first?.contains(#"unknown key "zone""#)
                == true)
        #expect(
            problems(#"{"cron": 5}"#).first?.contains("expected cron expression, found number")
                == true)
    }

    @Test("says how long it may leave a case waiting")
    func bounds() throws {
        func wait(_ text: String) throws -> String? {
            try decode(text).longestWait(sla: .hours(24))?.text
        }
        #expect(try wait(#"{"idle": "5m"}"#) == nil)
        #expect(try wait(#"{"every": "5m"}"#) == "5m")
        #expect(try wait(#"{"cron": "0 6 * * MON-FRI"}"#) == "3d")
        #expect(
            try wait(#"{"any": [{"idle": "5m"}, {"every": "2h"}, {"cron": "0 6 * * *"}]}"#) == "2h")
        #expect(try wait(#"{"all": [{"every": "2h"}, {"cron": "0 6 * * *"}]}"#) == "24h")
        #expect(try wait(#"{"all": [{"every": "2h"}, {"idle": "5m"}]}"#) == nil)
    }

    @Test(
        "counts ticks of several schedules together, as no one of them does",
        arguments: [
            // From Friday 02:30 to Saturday 09:00.
            (#"{"cron": "30 2 * * MON-FRI"}, {"cron": "0 9 * * SAT,SUN"}"#, "30h30m"),
            (#"{"cron": "0 0 * * *"}, {"cron": "0 12 * * *"}"#, "12h"),
            // The night on which the clocks of one of them are put back.
            (
                #"{"cron": "0 0 * * *", "zone": "Europe/Berlin"}, {"cron": "0 12 * * *", "zone": "Europe/Berlin"}"#,
                "13h"
            ),
            (#"{"cron": "0 0 * * *", "zone": "Asia/Kolkata"}, {"every": "24h"}"#, "18h30m"),
            (#"{"every": "7h"}, {"every": "5h"}"#, "5h"),
            (#"{"every": "36h"}, {"cron": "0 0 1 * *"}"#, "36h"),
            (#"{"any": [{"cron": "0 0 * * *"}]}, {"any": [{"cron": "0 8 * * *"}]}"#, "16h"),
            (#"{"max_age": "10h"}, {"cron": "0 0 * * *"}, {"cron": "0 12 * * *"}"#, "10h"),
            (#"{"cron": "0 * * * *"}, {"cron": "30 * * * *"}, {"count": 5}"#, "30m"),
        ])
    func unions(_ rules: String, _ longest: String) throws {
        let rule = try decode(#"{"any": [\#(rules)]}"#)
        #expect(rule.longestWait(sla: .hours(24))?.text == longest)
    }

    @Test("finds the same for ticks taken one by one, through all changes of the clock")
    func unionsByHand() throws {
        let expressions = [
            "30 2 * * MON-FRI", "0 9 * * SAT,SUN", "15 1,13 */3 * *", "0 0 1,15 * *", "45 23 * * 2",
            "0 6-18/6 * 3-10 *",
        ]
        let zones = ["UTC", "America/New_York", "Australia/Lord_Howe", "Europe/London"]
        var random = SplitMix64(seed: 3)
        for _ in 0..<12 {
            let schedules = try (0..<Int.random(in: 2...3, using: &random)).map { _ in
                CronSchedule(
                    try CronExpression(parsing: expressions.randomElement(using: &random)!),
                    in: try TimeZone(parsing: zones.randomElement(using: &random)!))
            }
            var ticks: [Timestamp] = []
            for schedule in schedules {
                var tick = try Timestamp(parsing: "2024-01-01T00:00:00Z")
                while tick < (try Timestamp(parsing: "2033-03-01T00:00:00Z")) {
                    tick = try #require(schedule.next(after: tick))
                    ticks.append(tick)
                }
            }
            ticks.sort()
            let last = ticks.firstIndex { $0 >= (try! Timestamp(parsing: "2033-01-01T00:00:00Z")) }!
            let longest = zip(ticks, ticks[1...last]).map { $0.duration(to: $1) }.max()
            #expect(
                Trigger.any(schedules.map(Trigger.cron)).longestWait(sla: .zero) == longest,
                "\(schedules.map(\.expression.text))")
        }
    }
}
