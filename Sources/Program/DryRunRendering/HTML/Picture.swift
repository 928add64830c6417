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
