internal import PipelineCore

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
