internal import DryRunReport
internal import PipelineCore

/// Batches as a table; of many only the first and the last.
struct BatchText {
    private static let first = 10
    private static let last = 5

    let report: SimulationReport
    let width: Int
    let ink: Ink

    var lines: [String] {
        guard report.hasBarrier else { return [] }
        guard !report.batches.isEmpty else {
            return [ink("Batches", .bold), "  none: no trigger fired"]
        }
        var table = TextTable(heads)
        let batches = report.batches
        let isLong = batches.count > Self.first + Self.last + 1
        for batch in isLong ? batches.prefix(Self.first) : batches[...] {
            table.rows.append(row(batch))
        }
        if isLong {
            let between = batches.count - Self.first - Self.last
            table.rows.append(["… \(between.grouped) more …"])
            for batch in batches.suffix(Self.last) { table.rows.append(row(batch)) }
        }
        return SimulationText.titled("Batches", summary, width, ink) + table.lines(ink)
    }

    /// `37 (31 by count, 6 by max_age), on average 130 cases, 25 % full`.
    private var summary: String {
        let triggers = report.batchesByTrigger.map {
            "\($0.batches.grouped) by \($0.trigger.printable)"
        }
        let mean = Double(report.batchedCases) / Double(report.batches.count)
        var text = "\(report.batches.count.grouped) (\(triggers.joined(separator: ", ")))"
        text += ", on average \(Int(mean.rounded()).counting("case", "cases"))"
        if let fill = report.meanFill { text += ", \(fill.percent) full" }
        return text
    }

    private var showsFill: Bool { report.batches.contains { $0.fill != nil } }
    private var showsWait: Bool { report.batches.contains { $0.longestWait != nil } }

    private var heads: [(String, TextTable.Alignment)] {
        var heads: [(String, TextTable.Alignment)] = [
            ("no.", .right), ("sealed at", .left), ("closed by", .left), ("cases", .right),
        ]
        if showsFill { heads.append(("full", .right)) }
        heads.append(("generation", .right))
        if showsWait { heads.append(("longest wait", .right)) }
        return heads
    }

    private func row(_ batch: BatchFigures) -> [String] {
        var cells = [
            String(batch.number), report.moment(batch.sealedAt), batch.closedBy.printable,
            batch.cases.count.grouped,
        ]
        if showsFill { cells.append(batch.fill?.percent ?? "") }
        cells.append((batch.generation.upperBound - batch.generation.lowerBound).spoken)
        if showsWait { cells.append(batch.longestWait?.spoken ?? "") }
        return cells
    }
}

/// Waits against the SLA, with a histogram.
struct WaitText {
    private static let bins = 10
    private static let barWidth = 32

    let report: SimulationReport
    let width: Int
    let ink: Ink

    var lines: [String] {
        guard report.expectsAnswers, !report.cases.isEmpty else { return [] }
        let title = ink("Waits", .bold) + " from the first arrival to the answer"
        guard !report.waits.isEmpty else { return [title, "  no case was answered"] }
        return [title] + Paragraph.lines(figures, width: width, first: "  ", indent: "  ")
            + histogram
    }

    private var figures: String {
        let quantiles = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)].compactMap {
            name, share in report.wait(quantile: share).map { "\(name) \($0.spoken)" }
        }
        var text = quantiles.joined(separator: ", ") + "; SLA \(report.sla.spoken)"
        if report.late > 0 { text += ", \(report.late.grouped) after their deadline" }
        if report.afterSLA > 0 { text += ", \(report.afterSLA.grouped) after the SLA" }
        if report.unanswered > 0 { text += ", \(report.unanswered.grouped) without an answer" }
        return text
    }

    private var histogram: [String] {
        let bins = WaitHistogram(report.waits, sla: report.sla, atMost: Self.bins).bins
        let most = bins.map(\.cases).max() ?? 0
        let labels = bins.map { "up to \($0.range.upperBound.spoken)" }
        let widest = labels.map(\.count).max() ?? 0
        let room = max(8, min(Self.barWidth, width - widest - 20))
        return zip(bins, labels).map { bin, label in
            let padding = String(repeating: " ", count: widest - label.count)
            let bar = BarChart.bar(bin.cases, of: most, width: room)
            let end = bar.isEmpty ? bin.cases.grouped : " " + bin.cases.grouped
            return "  \(label)\(padding)  " + ink(bar, bin.isLate ? .bad : .blue) + end
                + (bin.isLate && bin.cases > 0 ? " after the SLA" : "")
        }
    }
}
