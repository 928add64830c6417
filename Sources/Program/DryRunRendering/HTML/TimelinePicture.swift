internal import DryRunReport
internal import PipelineCore

/// What arrived, what waited and what fired, over time.
struct TimelinePicture {
    /// Bars, and places to point at.
    private static let slots = 144
    /// Points of the open batch's outline; more would not show on a desktop's screen.
    private static let points = 480
    /// Rows of firings a rule set may have; triggers beyond are named, not drawn.
    private static let rows = 6

    /// Characters that a row's name may have.
    private static let widestName = 26

    private let sets: [RuleSet]
    private let timelines: [Timeline]
    private let axis: TimeAxis

    init(_ sets: [RuleSet]) {
        self.sets = sets
        let axis = Timeline.axis(for: sets.map(\.report), atMost: Self.slots)
        self.axis = axis
        timelines = sets.map { Timeline($0.report, on: axis) }
    }

    /// The picture with its legend and a caption.
    var figure: Markup {
        guard let first = sets.first, !first.report.arrivals.isEmpty else { return "" }
        return """
            <section aria-labelledby="timeline">
            <h2 id="timeline">Timeline</h2>
            <figure>
            \(RuleSet.legend(sets))\(picture)<figcaption>\(caption)</figcaption>
            </figure>
            </section>

            """
    }

    private var picture: Markup {
        var picture = Picture(narrow: ticks(atMost: 5), wide: ticks(atMost: 10))
        arrivals(in: &picture)
        if sets.contains(where: \.report.hasBarrier) {
            openCases(in: &picture)
            for index in sets.indices { firings(of: index, in: &picture) }
        }
        picture.underlay(afterTheTrace)
        picture.scale()
        picture.overlay(places)
        return picture.markup(label: "Timeline. " + summary)
    }

    private func ticks(atMost most: Int) -> [Picture.Tick] {
        axis.ticks(atMost: most).map {
            Picture.Tick(fraction: axis.fraction(of: $0.at), label: $0.label)
        }
    }

    private func arrivals(in picture: inout Picture) {
        guard let counts = timelines.first?.arrivals else { return }
        let most = Double(max(counts.max() ?? 0, 1))
        let width = 100 / Double(axis.count)
        let bars = counts.enumerated().filter { $0.element > 0 }.map { index, count -> Markup in
            let share = Double(count) / most * 100
            return """
                <rect x="\(Double(index) * width)%" width="\(width * 0.86)%" y="\(100 - share)%" \
                height="\(share)%"/>

                """
        }
        picture.band(
            "messages in \(axis.slot.spoken)", remark: "peak \((counts.max() ?? 0).grouped)",
            height: 76, "<g class=\"arrivals\">\(bars)</g>\n")
    }

    private func openCases(in picture: inout Picture) {
        let fine = Timeline.axis(for: sets.map(\.report), atMost: Self.points)
        let spans = sets.map { OpenCases($0.report).spans(on: fine) }
        let peaks = spans.map { $0.map(\.most).max() ?? 0 }
        let most = max(peaks.max() ?? 0, 1)
        let paths = zip(sets, spans).map { set, spans -> Markup in
            let outline = Self.outline(spans, most: Double(most))
            return """
                \(Picture.path("area \(set.shade)", "M0,1000 \(outline) L1000,1000 Z"))\
                \(Picture.path("line \(set.shade)", "M0,1000 \(outline)"))
                """
        }
        let remark = peaks.map(\.grouped).joined(separator: " and ")
        picture.band("waiting in the open batch", remark: "peak \(remark)", height: 96, "\(paths)")
    }

    /// Of each span its first value and its extremes in their order: all that a pixel can show.
    private static func outline(_ spans: [OpenCases.Span], most: Double) -> Markup {
        var path: Markup = ""
        func point(_ slot: Double, _ open: Int) -> Markup {
            let x = slot / Double(spans.count) * Picture.extent
            let y = (1 - Double(open) / most) * Picture.extent
            return "L\((x * 10).rounded() / 10),\(y.rounded()) "
        }
        for (index, span) in spans.enumerated() {
            path += point(Double(index), span.first)
            let extremes = span.isFalling ? [span.most, span.least] : [span.least, span.most]
            let ends = [span.first, span.last]
            for extreme in extremes where !ends.contains(extreme) || span.isFalling {
                path += point(Double(index) + 0.5, extreme)
            }
        }
        if let last = spans.last { path += point(Double(spans.count), last.last) }
        return path
    }

    private func firings(of index: Int, in picture: inout Picture) {
        let (set, timeline) = (sets[index], timelines[index])
        for (trigger, batches) in timeline.firings.prefix(Self.rows) {
            let marks = batches.enumerated().filter { $0.element > 0 }.map {
                slot, count -> Markup in
                let height = min(4 + Double(count) * 4, 16)
                return """
                    <rect x="\((Double(slot) + 0.3) / Double(axis.count) * 100)%" width="3" rx="1" \
                    y="\(16 - height)" height="\(height)"/>

                    """
            }
            picture.band(
                "sealed by \(name(trigger, of: set))",
                remark: batches.reduce(0, +).counting("batch", "batches"), height: 16,
                """
                <line class="base" x1="0" x2="100%" y1="16" y2="16"/><g class="mark \(set.shade)">\
                \(marks)</g>

                """)
        }
    }

    /// With two rule sets also whose it is; short enough for a phone.
    private func name(_ trigger: String, of set: RuleSet) -> String {
        guard sets.count > 1 else { return trigger.printable.shortened(to: Self.widestName) }
        let trigger = trigger.printable.shortened(to: 15)
        return "\(trigger), \(set.stem.printable.shortened(to: Self.widestName - trigger.count))"
    }

    private func afterTheTrace(_ height: Double) -> Markup {
        guard let length = sets.first?.report.traceLength else { return "" }
        let fraction = axis.fraction(of: length)
        guard fraction < 0.995 else { return "" }
        return """
            <rect class="after" x="\(fraction * 100)%" width="\((1 - fraction) * 100)%" \
            height="\(height)"/>

            """
    }

    /// A column for each slot, whose tooltip says everything about it.
    private func places(_ height: Double) -> Markup {
        let width = 100 / Double(axis.count)
        let columns = (0..<axis.count).map { slot -> Markup in
            """
            <rect x="\(Double(slot) * width)%" width="\(width)%" height="\(height)">\
            <title>\(tooltip(slot))</title></rect>

            """
        }
        return "<g class=\"places\">\(columns)</g>\n"
    }

    private func tooltip(_ slot: Int) -> String {
        let arrived = timelines[0].arrivals[slot]
        var text = axis.moment(axis.beginning(of: slot)) + ": "
        text += arrived.counting("message", "messages")
        for (set, timeline) in zip(sets, timelines) where set.report.hasBarrier {
            text += sets.count > 1 ? "; \(set.name): " : ", "
            text += "up to \(timeline.open[slot].grouped) waiting"
            for (trigger, batches) in timeline.firings.prefix(Self.rows) where batches[slot] > 0 {
                text += ", \(batches[slot].counting("batch", "batches")) by \(trigger)"
            }
        }
        return text
    }

    private var caption: String {
        var caption = "Times are UTC."
        if let length = sets.first?.report.traceLength, axis.fraction(of: length) < 0.995 {
            caption += " Shaded: after the trace's end, when only what waits is answered."
        }
        let hidden = timelines.reduce(0) { $0 + max(0, $1.firings.count - Self.rows) }
        if hidden > 0 {
            caption += " \(hidden.counting("rarer trigger is", "rarer triggers are")) not drawn."
        }
        return caption + " Point at a place to read its figures."
    }

    private var summary: String {
        sets.map { set in
            let report = set.report
            let triggers = report.batchesByTrigger.map { "\($0.batches) by \($0.trigger)" }
            return "\(set.name): \(report.arrivals.count.counting("message", "messages")), "
                + "\(report.batches.count.counting("batch", "batches"))"
                + (triggers.isEmpty ? "" : ", \(triggers.joined(separator: ", "))")
        }.joined(separator: "; ")
    }
}
