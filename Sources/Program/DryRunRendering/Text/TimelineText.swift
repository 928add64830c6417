internal import DryRunReport
internal import PipelineCore

/// A timeline in lines of characters: what arrived, what waited, what fired.
struct TimelineText {
    /// Fewer columns would say nothing, more could not be taken in at a glance.
    private static let columns = 20...72
    /// The widest that names to the left may be.
    private static let widestName = 22

    private let axis: TimeAxis
    private let timelines: [Timeline]
    private let reports: [SimulationReport]
    private let ink: Ink
    /// Columns of the names to the left.
    private let margin: Int

    init(_ reports: [SimulationReport], width: Int, ink: Ink) {
        let names = reports.flatMap { report in
            report.batchesByTrigger.map { Self.name($0.trigger, $0.batches) }
                + [Self.peak(report.cases.count, report)]
        }
        margin = min(names.map(\.count).max() ?? 0, Self.widestName) + 4
        let room = min(max(width - margin, Self.columns.lowerBound), Self.columns.upperBound)
        axis = Timeline.axis(for: reports, atMost: room)
        let axis = axis
        timelines = reports.map { Timeline($0, on: axis) }
        self.reports = reports
        self.ink = ink
    }

    /// With one report: scale, arrivals, open batch, firings; with several, arrivals once and the
    /// rest of each below its title.
    func lines(titles: [String] = []) -> [String] {
        var lines = scale
        guard let first = timelines.first else { return lines }
        lines += chart(
            first.arrivals, "arrivals", "peak \((first.arrivals.max() ?? 0).grouped)", .blue)
        for (index, timeline) in timelines.enumerated() {
            if index < titles.count { lines += ["", "  " + ink(titles[index].printable, .bold)] }
            lines += rest(of: timeline, reports[index])
        }
        return lines
    }

    private var scale: [String] {
        let ticks = axis.ticks(atMost: max(2, axis.count / 9))
        var labels = [Character](repeating: " ", count: axis.count + 8)
        var rule = [Character](repeating: "─", count: axis.count)
        for tick in ticks {
            let column = Int((tick.at / axis.slot).rounded())
            if column < axis.count { rule[column] = "┬" }
            guard column + tick.label.count <= labels.count else { continue }
            labels.replaceSubrange(column..<column + tick.label.count, with: tick.label)
        }
        return [
            line("", String(labels)), line("", String(rule), .faint),
        ]
    }

    /// The scale of every open batch, so that two of them compare.
    private var most: Int { timelines.compactMap { $0.open.max() }.max() ?? 0 }

    private func rest(of timeline: Timeline, _ report: SimulationReport) -> [String] {
        guard report.hasBarrier else { return [] }
        let peak = timeline.open.max() ?? 0
        var lines = chart(timeline.open, "open batch", Self.peak(peak, report), .cyan, most: most)
        if timeline.firings.isEmpty { lines.append(line("firings", "none", .faint)) }
        for (trigger, batches) in timeline.firings {
            let marks = batches.map { count -> Character in
                count == 0 ? "·" : count > 9 ? "#" : Character(String(count))
            }
            lines.append(line(Self.name(trigger, batches.reduce(0, +)), String(marks), .yellow))
        }
        return lines
    }

    private func chart(
        _ values: [Int], _ name: String, _ remark: String, _ shade: Ink.Shade, most: Int? = nil
    ) -> [String] {
        let most = most ?? values.max() ?? 0
        let bars = BarChart.columns(values, of: most, height: 3)
        return zip([name, remark, ""], bars).map { name, bar in line(name, bar, shade) }
    }

    private func line(_ name: String, _ content: String, _ shade: Ink.Shade? = nil) -> String {
        let name = name.shortened(to: margin - 4)
        let gap = String(repeating: " ", count: margin - 2 - name.count)
        var content = content
        while content.hasSuffix(" ") { content.removeLast() }
        if content.isEmpty { return name.isEmpty ? "" : "  " + name }
        return "  " + name + gap + (shade.map { ink(content, $0) } ?? content)
    }

    private static func peak(_ open: Int, _ report: SimulationReport) -> String {
        "peak \(open.grouped)" + (report.capacity.map { " of \($0.grouped)" } ?? "")
    }

    private static func name(_ trigger: String, _ batches: Int) -> String {
        "\(trigger.printable) \(batches.grouped)"
    }

    /// How to read it.
    var legend: String {
        let slot = "each column is \(axis.slot.spoken), times are UTC"
        let fired = timelines.contains { !$0.firings.isEmpty }
        guard fired else { return slot }
        let many = timelines.contains { $0.firings.contains { $0.batches.contains { $0 > 9 } } }
        return slot + "; a digit tells how many batches that trigger sealed"
            + (many ? ", # more than nine" : "")
    }
}
