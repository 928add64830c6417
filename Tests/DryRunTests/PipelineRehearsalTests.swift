import PipelineCore
import Testing

@testable import DryRun

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
        func batches(_ seed: UInt64) throws -> [SimulatedBatch] {
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
}
