import PipelineCore
import Testing

@testable import DryRun

@Suite("A rehearsal")
struct PipelineRehearsalTests {
    @Test("of the shipped pipeline fires full batches by count, and the rest by age")
    func shipped() throws {
        let report = try Rehearsal.run(
            Rehearsal.definition(), Rehearsal.trace("uniform 1200/h for 1h"))
        print(report)
        #expect(report.batches.map(\.cases.count) == [512, 512, 176])
        #expect(report.batches.map(\.closedBy) == ["count", "count", "max_age"])
        #expect(report.unanswered == 0)
    }

    @Test("of a day of 100,000 requests takes seconds")
    func day() throws {
        let trace = try Rehearsal.trace("poisson 100000/d for 24h")
        let report = try Rehearsal.run(Rehearsal.definition(), trace)
        print(report.took, report.batches.count, report.waits.count, trace.arrivals.count)
        #expect(report.unanswered == 0)
    }
}
