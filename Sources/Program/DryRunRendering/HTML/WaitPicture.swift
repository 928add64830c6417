internal import DryRunReport
internal import PipelineCore

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
