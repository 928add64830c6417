import Batching
import PipelineCore
import Specification
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
}
