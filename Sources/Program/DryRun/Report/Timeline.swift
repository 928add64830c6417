internal import PipelineCore

/// What happened in each slot of an axis.
struct Timeline: Sendable {
    let axis: TimeAxis
    /// Messages that arrived.
    let arrivals: [Int]
    /// The most cases that were open.
    let open: [Int]
    /// Batches that were sealed, by trigger, the most frequent first.
    let firings: [(trigger: String, batches: [Int])]

    init(_ report: SimulationReport, on axis: TimeAxis) {
        self.axis = axis
        arrivals = axis.histogram(report.arrivals)
        open = OpenCases(report).spans(on: axis).map(\.most)
        firings = report.batchesByTrigger.map { trigger, _ in
            let seals = report.batches.filter { $0.closedBy == trigger }.map(\.sealedAt)
            return (trigger, axis.histogram(seals))
        }
    }

    /// An axis on which these simulations fit, from the start to the last answer.
    static func axis(for reports: [SimulationReport], atMost most: Int) -> TimeAxis {
        let needed = reports.map { report in
            max(
                report.traceLength, report.arrivals.last ?? .zero,
                report.batches.map(\.generation.upperBound).max() ?? .zero)
        }
        return TimeAxis(
            start: reports.first?.start ?? Timestamp(microseconds: 0),
            covering: needed.max() ?? .zero, atMost: most)
    }
}
