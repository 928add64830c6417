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
        var free = 0
        for tick in ticks {
            let column = Int((tick.at / axis.slot).rounded())
            if column < axis.count { rule[column] = "┬" }
            // One that would touch the label before it is left out.
            let end = column + tick.label.count
            guard column >= free, end <= labels.count else { continue }
            labels.replaceSubrange(column..<end, with: tick.label)
            free = end + 1
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
