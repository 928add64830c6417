import PipelineCore
import Testing

@testable import DryRunRendering
import DryRunReport

@Suite("A time axis")
struct TimeAxisTests {
    /// 2026-11-24 00:00 UTC.
    private static let midnight = Timestamp(microseconds: 1_795_478_400_000_000)

    @Test("has slots of a round length, which cover what they must")
    func slots() {
        let axis = TimeAxis(start: Self.midnight, covering: .seconds(36 * 3600 + 5), atMost: 72)
        #expect(axis.slot == .seconds(2400))
        #expect(axis.length >= .seconds(36 * 3600 + 5))
        #expect(axis.count == 55)
    }

    @Test(
        "stays within its slots whatever the length",
        arguments: [Duration.zero, .nanoseconds(1), .seconds(1), .seconds(3_000_000_000)])
    func extremes(_ length: Duration) {
        let axis = TimeAxis(start: Self.midnight, covering: length, atMost: 60)
        #expect((1...60).contains(axis.count))
        #expect(axis.length >= length)
        #expect(axis.ticks(atMost: 6).count <= 7)
    }

    @Test("puts ticks at round civil times, and names midnights by their day")
    func ticks() {
        let start = Self.midnight.advanced(by: .seconds(-5400))
        let axis = TimeAxis(start: start, covering: .seconds(6 * 3600), atMost: 60)
        let labels = axis.ticks(atMost: 6).map(\.label)
        #expect(labels == ["23:00", "24 Nov", "01:00", "02:00", "03:00", "04:00"])
        #expect(axis.ticks(atMost: 6).first?.at == .seconds(1800))
    }

    @Test("counts every instant once, also those at its ends")
    func histogram() {
        let axis = TimeAxis(start: Self.midnight, covering: .seconds(10), atMost: 10)
        let counts = axis.histogram([.zero, .milliseconds(999), .seconds(1), .seconds(10)])
        #expect(counts == [2, 1, 0, 0, 0, 0, 0, 0, 0, 1])
    }
}

@Suite("A histogram of waits")
struct WaitHistogramTests {
    @Test("has no bin that spans the SLA, and counts a wait as long as that in time")
    func sla() {
        let waits: [Duration] = [.seconds(1), .seconds(5), .seconds(5), .seconds(7), .seconds(9)]
        let bins = WaitHistogram(waits, sla: .seconds(5), atMost: 5).bins
        #expect(bins.filter { !$0.isLate }.reduce(0) { $0 + $1.cases } == 3)
        #expect(bins.filter(\.isLate).reduce(0) { $0 + $1.cases } == 2)
        #expect(bins.contains { $0.range.upperBound == .seconds(5) })
    }

    @Test("ends, and misses no case, whatever the SLA", arguments: [0, 1, 2999, 7777, 86_400_000])
    func complete(_ milliseconds: Int) {
        let waits = (0..<500).map { Duration.microseconds($0 * $0 * 37) }
        let bins = WaitHistogram(waits, sla: .milliseconds(milliseconds), atMost: 30).bins
        #expect(bins.reduce(0) { $0 + $1.cases } == 500)
        #expect(
            zip(bins, bins.dropFirst()).allSatisfy { $0.range.upperBound == $1.range.lowerBound })
    }
}

@Suite("The open batch")
struct OpenCasesTests {
    @Test("is as full as what arrived and was not yet sealed")
    func spans() {
        var report = SimulationReport(
            pipeline: "p", file: "p.json", start: Timestamp(microseconds: 0), sla: .seconds(60),
            traceLength: .seconds(4))
        report.cases = [.milliseconds(500), .milliseconds(600), .milliseconds(1500), .seconds(3)]
        let ids = (0..<3).map { UUID(high: 0, low: $0) }
        report.batches = [
            BatchFigures(
                number: 1, closedBy: "count", sealedAt: .milliseconds(1500),
                generation: .seconds(2) ..< .seconds(3), cases: ids, fill: 1)
        ]
        let axis = TimeAxis(start: report.start, covering: .seconds(4), atMost: 4)
        let spans = OpenCases(report).spans(on: axis)
        #expect(spans.map(\.first) == [0, 2, 0, 0])
        #expect(spans.map(\.most) == [2, 3, 0, 1])
        #expect(spans.map(\.last) == [2, 0, 0, 1])
        #expect(spans.map(\.isFalling) == [false, true, false, false])
    }
}
