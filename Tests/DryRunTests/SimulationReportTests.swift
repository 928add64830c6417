import DryRunReport
import PipelineCore
import Testing

@Suite("A simulation's report")
struct SimulationReportTests {
    private var report = SimulationReport(
        pipeline: "p", file: "p.json", start: Timestamp(microseconds: 0), sla: .seconds(4),
        traceLength: .seconds(60))

    @Test("counts a case as late when it waited longer than the SLA, not when it waited as long")
    mutating func late() {
        report.waits = [.seconds(1), .seconds(4), .seconds(5)]
        #expect(report.late == 1)
    }

    @Test("takes quantiles by nearest rank")
    mutating func quantiles() {
        report.waits = (1...200).map { .seconds($0) }
        #expect(report.wait(quantile: 0.5) == .seconds(100))
        #expect(report.wait(quantile: 0.99) == .seconds(198))
        #expect(report.wait(quantile: 1) == .seconds(200))
        report.waits = []
        #expect(report.wait(quantile: 0.5) == nil)
    }

    @Test("counts cases without an answer")
    mutating func unanswered() {
        report.cases = [.zero, .seconds(1)]
        report.waits = [.seconds(3)]
        #expect(report.unanswered == 1)
    }
}
