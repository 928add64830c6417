internal import DryRunReport
internal import PipelineCore

/// A picture that is as wide as the page lets it be and keeps its height: shapes stretch, texts and
/// strokes do not. It grows downwards, band by band, all above one scale.
///
/// Across, everything is a share of the width (percentages, or a stretched view box for paths);
/// down, it is CSS pixels.
struct Picture {
    /// A labelled place of the scale, from 0 at the left to 1 at the right.
    struct Tick {
        var fraction: Double
        var label: String
    }

    /// How far a stretched path's coordinates go.
    static let extent = 1000.0
    /// Room above a band for its title.
    private static let titleHeight = 20.0

    /// A narrow page shows other ticks than a wide one.
    private let narrow: [Tick]
    private let wide: [Tick]
    private var height = 0.0
    private var parts: [Markup] = []

    init(narrow: [Tick], wide: [Tick]) {
        self.narrow = narrow
        self.wide = wide
    }

    /// Adds a band below what is there: its title, to the right of it a remark, then its content
    /// over the scale's lines.
    mutating func band(
        _ title: String, remark: String = "", height bandHeight: Double, _ content: Markup
    ) {
        let baseline = height + 14
        parts.append("<text x=\"0\" y=\"\(baseline)\">\(title)</text>\n")
        if !remark.isEmpty {
            parts.append("<text class=\"end\" x=\"100%\" y=\"\(baseline)\">\(remark)</text>\n")
        }
        let top = height + Self.titleHeight
        parts.append(
            """
            <svg y="\(top)" width="100%" height="\(bandHeight)">
            \(Self.lines(narrow, "narrow"))\(Self.lines(wide, "wide"))\(content)</svg>

            """)
        height = top + bandHeight + 8
    }

    /// Adds a line at the top, before any band: what it says then meets nothing else.
    mutating func line(_ content: Markup) {
        parts.append(content)
        height += 14
    }

    /// Adds the scale's labels at the bottom.
    mutating func scale() {
        let baseline = height + 12
        parts.append(Self.labels(narrow, "narrow", baseline: baseline, edge: 0.07))
        parts.append(Self.labels(wide, "wide", baseline: baseline, edge: 0.035))
        height += 20
    }

    /// Puts something over all that is there.
    mutating func overlay(_ content: (_ height: Double) -> Markup) { parts.append(content(height)) }
    /// Puts something under all that is there.
    mutating func underlay(_ content: (_ height: Double) -> Markup) {
        parts.insert(content(height), at: 0)
    }

    /// The picture, with what it shows in words for those who do not see it.
    func markup(label: String) -> Markup {
        """
        <svg class="picture" role="img" aria-label="\(label)" width="100%" height="\(height)">
        \(parts)</svg>

        """
    }

    /// A path whose coordinates run to ``extent`` in both directions, downwards from the top.
    static func path(_ classes: String, _ data: Markup) -> Markup {
        """
        <svg width="100%" height="100%" viewBox="0 0 1000 1000" preserveAspectRatio="none">\
        <path class="\(classes)" d="\(data)"/></svg>

        """
    }

    private static func lines(_ ticks: [Tick], _ width: String) -> Markup {
        let lines = ticks.map { tick -> Markup in
            let x = tick.fraction * 100
            return "<line x1=\"\(x)%\" x2=\"\(x)%\" y1=\"0\" y2=\"100%\"/>"
        }
        return "<g class=\"grid \(width)\">\(lines)</g>\n"
    }

    /// Labels are centred below their ticks, or inside the picture near its edges.
    private static func labels(
        _ ticks: [Tick], _ width: String, baseline: Double, edge: Double
    ) -> Markup {
        let labels = ticks.map { tick -> Markup in
            let (x, label) = (tick.fraction * 100, tick.label)
            let side =
                tick.fraction < edge ? "start" : tick.fraction > 1 - edge ? "end" : "middle"
            return "<text class=\"\(side)\" x=\"\(x)%\" y=\"\(baseline)\">\(label)</text>"
        }
        return "<g class=\"\(width)\">\(labels)</g>\n"
    }
}

/// How long cases waited, as a histogram and as the share that had its answer by then.
struct WaitPicture {
    private static let bins = 120
    private static let points = 480

    private let sets: [RuleSet]
    private let sla: Duration
    /// The wait at the right end.
    private let longest: Duration

    init(_ sets: [RuleSet]) {
        self.sets = sets.filter { !$0.report.waits.isEmpty }
        sla = sets.first?.report.sla ?? .zero
        let worst = max(self.sets.compactMap(\.report.waits.last).max() ?? .zero, .milliseconds(1))
        // A far-off SLA is named at the edge, so that the waits do not shrink to a line.
        longest = sla > worst && sla <= worst * 6 ? sla * 1.04 : worst * 1.04
    }

    var figure: Markup {
        guard let first = sets.first else { return "" }
        let quantiles = sets.count > 1 ? "" : Self.quantiles(first.report)
        return """
            <section aria-labelledby="waits">
            <h2 id="waits">Waits</h2>
            <figure>
            \(RuleSet.legend(sets))\(picture)\
            <figcaption>From a case’s first arrival to its answer. \(Paragraph.glued(quantiles))</figcaption>
            </figure>
            </section>

            """
    }

    private var picture: Markup {
        var picture = Picture(narrow: ticks(atMost: 5), wide: ticks(atMost: 10))
        picture.line(slaLabel)
        histogram(in: &picture)
        share(in: &picture)
        picture.scale()
        return picture.markup(
            label: "Waits. "
                + sets.map { "\($0.name): \(Self.quantiles($0.report))" }.joined(separator: "; "))
    }

    /// Within a band, so that it crosses no text.
    private var slaLine: Markup {
        let place = sla / longest * 100
        return Markup.when(
            place <= 100,
            "<line class=\"sla\" x1=\"\(place)%\" x2=\"\(place)%\" y1=\"0\" y2=\"100%\"/>\n")
    }

    private var slaLabel: Markup {
        if sla > longest {
            return "<text class=\"end bad\" x=\"100%\" y=\"11\">SLA \(sla.spoken) →</text>\n"
        }
        let fraction = sla / longest
        let side = fraction < 0.15 ? "start" : fraction > 0.85 ? "end" : "middle"
        return """
            <text class="\(side) bad" x="\(fraction * 100)%" y="11">SLA \(sla.spoken)</text>

            """
    }

    private func ticks(atMost most: Int) -> [Picture.Tick] {
        let step = RoundDurations.step(for: longest, in: most)
        return (0...Int(longest / step)).map {
            Picture.Tick(fraction: step * $0 / longest, label: $0 == 0 ? "0" : (step * $0).spoken)
        }
    }

    private func histogram(in picture: inout Picture) {
        let histograms = sets.map {
            WaitHistogram($0.report.waits, sla: sla, longest: longest, atMost: Self.bins).bins
        }
        let most = Double(histograms.joined().map(\.cases).max() ?? 1)
        let bars = zip(sets, histograms).map { set, bins -> Markup in
            let bars = bins.filter { $0.cases > 0 }.map { bar($0, most, set) }
            return "<g class=\"bars \(set.shade)\">\(bars)</g>\n"
        }
        let width = RoundDurations.step(for: longest, in: Self.bins)
        picture.band(
            "cases by \(width.spoken) of waiting", remark: "peak \(Int(most).grouped)", height: 96,
            "\(bars)\(slaLine)")
    }

    private func bar(_ bin: WaitHistogram.Bin, _ most: Double, _ set: RuleSet) -> Markup {
        let left = bin.range.lowerBound / longest * 100
        let width = (bin.range.upperBound - bin.range.lowerBound) / longest * 100
        let share = Double(bin.cases) / most * 100
        let name = sets.count > 1 ? "\(set.name): " : ""
        let tone = Markup.when(bin.isLate, " class=\"late\"")
        return """
            <rect\(tone) x="\(left)%" width="\(width * 0.9)%" \
            y="\(100 - share)%" height="\(share)%"><title>\(name)\(bin.cases.grouped) waited \
            \(bin.range.lowerBound.spoken) to \(bin.range.upperBound.spoken)</title></rect>

            """
    }

    private func share(in picture: inout Picture) {
        let paths = sets.map { set -> Markup in
            let waits = set.report.waits
            // Cases without an answer keep the line from the top.
            let total = Double(max(set.report.cases.count, waits.count))
            var path: Markup = "M0,1000 "
            for point in 0...Self.points {
                let wait = longest * Double(point) / Double(Self.points)
                let share = Double(waits.partitioningIndex { $0 > wait }) / total
                let x = Double(point) / Double(Self.points) * Picture.extent
                path += "L\((x * 10).rounded() / 10),\(((1 - share) * Picture.extent).rounded()) "
            }
            return Picture.path("line \(set.shade)", path)
        }
        picture.band(
            "share of the cases answered by then", remark: "100 %", height: 96,
            "<line class=\"base\" x1=\"0\" x2=\"100%\" y1=\"0.5\" y2=\"0.5\"/>\(paths)\(slaLine)")
    }

    private static func quantiles(_ report: SimulationReport) -> String {
        [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1)].compactMap { name, share in
            report.wait(quantile: share).map { "\(name) \($0.spoken)" }
        }.joined(separator: ", ")
    }
}
