internal import DryRunReport
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

/// How many cases wait in the open batch, at every instant of a simulation.
struct OpenCases {
    /// When cases arrived, ascending.
    private let arrivals: [Duration]
    /// When batches were sealed, ascending, with how many cases all up to this one hold.
    private let seals: [(at: Duration, total: Int)]

    /// How full the open batch was over a span.
    struct Span: Equatable {
        var first: Int
        var least: Int
        var most: Int
        var last: Int
        /// Whether the most came before the least: the batch was sealed in between.
        var isFalling: Bool
    }

    init(_ report: SimulationReport) {
        arrivals = report.cases
        var total = 0
        seals = report.batches.map {
            total += $0.cases.count
            return ($0.sealedAt, total)
        }
    }

    /// The spans between an axis' slots, each with the seals inside it.
    func spans(on axis: TimeAxis) -> [Span] {
        (0..<axis.count).map {
            span(from: axis.beginning(of: $0), to: axis.beginning(of: $0 + 1))
        }
    }

    private func span(from start: Duration, to end: Duration) -> Span {
        let open = arrived(before: start) - sealed(before: start)
        var span = Span(
            first: max(0, open), least: max(0, open), most: max(0, open), last: 0, isFalling: false)
        for index in index(of: start)..<index(of: end) {
            // Cases that arrive in the instant of a seal belong to it.
            let arrived = arrived(through: seals[index].at)
            span.see(arrived - (index == 0 ? 0 : seals[index - 1].total))
            span.see(arrived - seals[index].total)
        }
        span.last = max(0, arrived(before: end) - sealed(before: end))
        span.see(span.last)
        return span
    }

    private func arrived(before instant: Duration) -> Int {
        arrivals.partitioningIndex { $0 >= instant }
    }
    private func arrived(through instant: Duration) -> Int {
        arrivals.partitioningIndex { $0 > instant }
    }
    private func index(of instant: Duration) -> Int { seals.partitioningIndex { $0.at >= instant } }
    private func sealed(before instant: Duration) -> Int {
        let index = index(of: instant)
        return index == 0 ? 0 : seals[index - 1].total
    }
}

extension OpenCases.Span {
    fileprivate mutating func see(_ open: Int) {
        let open = max(0, open)
        if open > most {
            most = open
            isFalling = false
        }
        if open < least {
            least = open
            isFalling = true
        }
    }
}
