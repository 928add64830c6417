import ConfigurationFields
@testable import DryRun
@testable import DryRunRendering
import DryRunReport
import PipelineCore
import PipelineTesting
import Testing

@Suite("A rehearsal")
struct PipelineRehearsalTests {
    @Test("of the shipped pipeline fires full batches by count, and the rest by age")
    func shipped() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition(), Rehearsal.trace("uniform 1200/h for 1h"))
        #expect(report.batches.map(\.cases.count) == [512, 512, 176])
        #expect(report.batches.map(\.closedBy) == ["count", "count", "max_age"])
        #expect(report.unanswered == 0)
    }

    @Test("counts repeats that dedupe drops, and what can't be read")
    func repeats() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition(),
            Rehearsal.trace("uniform 6000/h for 6m", repeats: 0.2, malformed: 0.1))
        let dropped = report.stages[1].received - report.stages[1].passed
        let refused = report.deadLetters.reduce(0) { $0 + $1.count }
        #expect(dropped > 60 && refused > 30)
        #expect(report.cases.count + dropped + refused == 600)
        #expect(report.deadLetters.map(\.stage) == ["requests"])
        #expect(report.waits.count == report.cases.count)
        let sinks = report.stages.suffix(2)
        #expect(sinks.allSatisfy { $0.passed == report.cases.count })
    }

    @Test("is the same for the same seed, and another one for another seed")
    func seeds() throws {
        func batches(_ seed: UInt64) throws -> [BatchFigures] {
            try Rehearsal.run(
                Rehearsal.definition(), Rehearsal.trace("poisson 900/h for 1h", seed: seed)
            ).batches
        }
        #expect(try batches(1) == batches(1))
        #expect(try batches(1) != batches(2))
    }

    @Test("waits as long as a run takes, and for the runs before it")
    func cost() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition(changing: [(#""default": 512 }"#, #""default": 10 }"#)]),
            Rehearsal.trace("burst 20 at 1h"), cost: "60s + 1s*n")
        #expect(report.batches.map(\.cases.count) == [10, 10])
        #expect(report.waits.first == .seconds(70))
        #expect(report.waits.last == .seconds(140))
        #expect(report.generation?.single == .seconds(20 * 61))
    }

    @Test("has no more runs at a time than the file allows, however many workers there are")
    func maxRunning() throws {
        func runs(_ generate: String) throws -> SimulationReport {
            try Rehearsal.run(
                Rehearsal.definition(changing: [
                    (#""default": 512 }"#, #""default": 10 }"#),
                    (#""type": "generate""#, #""type": "generate"\#(generate)"#),
                ]), Rehearsal.trace("burst 40 at 1h"), cost: "60s + 1s*n", workers: 4)
        }
        #expect(try runs("").waits.last == .seconds(70))
        let report = try runs(#", "max_running": 2"#)
        #expect(report.waits.last == .seconds(140))
        let times = report.batches.map(\.generation)
        #expect(times.allSatisfy { run in times.count { $0.contains(run.lowerBound) } <= 2 })
        #expect(
            report.assumptions.contains(
                "4 workers, which hear of each other at once, at most 2 runs at a time; nothing fails"
            ))
    }

    @Test("shares the batches among workers")
    func workers() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition(changing: [(#""default": 512 }"#, #""default": 10 }"#)]),
            Rehearsal.trace("burst 20 at 1h"), cost: "60s + 1s*n", workers: 2)
        #expect(report.waits.last! < .seconds(75))
        #expect(report.unanswered == 0)
    }

    @Test("feeds callers of a pipeline that has no topic")
    func callers() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition(changing: [
                (
                    #"{ "resource": "bus", "topic": "report-requests", "create": { "partitions": 3 } },"#,
                    ""
                )
            ]), Rehearsal.trace("uniform 100/h for 1h", malformed: 0.1))
        #expect(report.waits.count == report.cases.count)
        #expect(report.deadLetters.first?.count == 100 - report.cases.count)
    }

    @Test("counts what a chain of events stores")
    func events() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition("conversion-events.json"),
            Rehearsal.trace("uniform 100/h for 1h", codec: "conversion-event"))
        #expect(report.stages.map(\.passed) == [100, 100])
        #expect(report.batches.isEmpty && report.generation == nil)
    }

    /// A trace of requests: case number, minute of arrival, and minute of the deadline if it has
    /// one.
    private func requests(_ all: [(id: Int, at: Int64, deadline: Int64?)]) -> ArrivalTrace {
        let start = Timestamp(microseconds: 1_767_225_600_000_000)
        let arrivals = all.map { request in
            let deadline = request.deadline.map {
                #", "deadline": "\#(start.advanced(by: .seconds($0 * 60)).text)""#
            }
            let payload = """
                { "case_id": "6f2c1f0e-8a0f-4a52-9c7e-0000000000\(request.id)", "product_id": "a",
                  "period": { "start_time": "2025-11-01T00:00:00Z", "end_time": "2025-12-01T00:00:00Z" }
                  \(deadline ?? "") }
                """
            return ArrivalTrace.Arrival(
                at: .seconds(request.at * 60),
                message: OutgoingRecord(key: nil, payload: Array(payload.utf8)[...]))
        }
        return ArrivalTrace(start: start, length: .hours(2), arrivals: arrivals, origin: "a test")
    }

    @Test("counts as late what comes after its case's own deadline, as `run` does, beside the SLA")
    func deadlines() throws {
        // A run begins five minutes before the deadline, or at once, and takes four.
        let trace = requests([(10, 0, 3), (11, 1, 100), (12, 70, nil), (13, 71, 74)])
        let report = try Rehearsal.run(Rehearsal.definition(), trace, cost: "4m")
        #expect(report.unanswered == 0)
        #expect(report.afterSLA == 0)
        // Those that had less than four minutes; what was answered with them was in time.
        #expect(report.late == 2)
        #expect(!report.verdict.isGood)
        #expect(
            report.verdict.sentence.hasPrefix(
                "2 of 4 cases answered after their deadline, none after the SLA of 24 h"))
        #expect(report.check(subject: "").status == .fail)
    }

    @Test("counts late answers of a chain without a ledger by the same deadlines")
    func deadlinesInMemory() throws {
        let definition = try Rehearsal.definition(changing: [
            (
                #""type": "accumulate", "store": "store","#,
                #""type": "accumulate", "durability": "none","#
            ),
            (#""min_interval": "10s", "lease": "1m""#, #""min_interval": "10s""#),
            (#"{ "resource": "api" } ] },"#, "] },"),
            (#"{ "partitions": 3 } },"#, #"{ "partitions": 3 } }"#),
            (
                #""api":   { "url": { "$env": "PENSTOCK_LISTEN", "default": "grpc://127.0.0.1:50051" } }"#,
                ""
            ),
            (#""default": "memory:64MiB" } },"#, #""default": "memory:64MiB" } }"#),
            (#""default": 12 }"#, #""default": 23 }"#), (#""24h","#, #""25h","#),
        ])
        // The last one names none: it has 25 h, the rule fires 23 h after the first.
        let trace = requests([(10, 0, 3), (11, 1, 100), (12, 110, nil)])
        let report = try Rehearsal.run(definition, trace, cost: "4m")
        #expect(report.unanswered == 0)
        #expect(report.late == 1)
        #expect(report.afterSLA == 0)
    }

    @Test("books a late repeat where it ends: at the ledger, which knows its case")
    func lateRepeats() throws {
        let trace = requests([(10, 0, 100), (10, 20, 100), (11, 21, nil), (10, 99, 100)])
        let report = try Rehearsal.run(Rehearsal.definition(), trace)
        let stages = Dictionary(uniqueKeysWithValues: report.stages.map { ($0.id, $0) })
        #expect(stages["batch"]?.received == 4)
        #expect(stages["batch"]?.passed == 2)
        #expect(report.remark(on: stages["batch"]!) == "2 known already or never sealed")
        #expect(stages["reports"]?.received == 2 && stages["reports"]?.passed == 2)
        #expect(report.remark(on: stages["reports"]!) == "")
    }

    @Test("measures fullness by the number that the rule calls full")
    func fullness() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition(changing: [(#""default": 512 }"#, #""default": 10 }"#)]),
            Rehearsal.trace("burst 25 at 1h"))
        #expect(report.batches.map(\.fill) == [1, 1, 0.5])
        #expect(report.capacity == 10)
    }

    @Test("takes no longer for workers that wait for each other's news than for what they do")
    func idleWorkers() throws {
        let trace = try Rehearsal.trace("uniform 30/h for 24h")
        let one = try Rehearsal.run(Rehearsal.definition(), trace)
        let three = try Rehearsal.run(Rehearsal.definition(), trace, workers: 3)
        #expect(three.batches.map(\.sealedAt) == one.batches.map(\.sealedAt))
        #expect(three.batches.map(\.closedBy) == one.batches.map(\.closedBy))
        #expect(three.unanswered == 0)
        // Looking once a second, as processes do that can't be told, took sixty times as long.
        #expect(three.took < one.took * 12 + .milliseconds(500), "\(three.took), alone \(one.took)")
    }
}

@Suite("The cost of a generation run")
struct GenerationCostModelTests {
    @Test("is a fixed part and a part for each case, in either order, or one of them")
    func reading() throws {
        #expect(try GenerationCostModel(parsing: "30s + 10ms*n").cost(of: 100) == .seconds(31))
        #expect(try GenerationCostModel(parsing: "10ms*n+30s").cost(of: 100) == .seconds(31))
        #expect(try GenerationCostModel(parsing: "2m").cost(of: 100) == .minutes(2))
        #expect(try GenerationCostModel(parsing: "1s*n").cost(of: 3) == .seconds(3))
    }

    @Test("is refused when it can't be read", arguments: ["", "30", "30s +", "n*3s", "x*n"])
    func refused(_ text: String) {
        #expect(throws: Refusal.self) { try GenerationCostModel(parsing: text) }
    }
}
