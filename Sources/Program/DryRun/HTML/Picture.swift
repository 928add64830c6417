/// A picture that is as wide as the page lets it be and keeps its height: shapes stretch, texts and
/// strokes do not. It grows downwards, band by band.
///
/// Across, everything is a share of the width (percentages, or a stretched view box for paths);
/// down, it is CSS pixels.
struct Picture {
    /// How far a stretched path's coordinates go.
    static let extent = 1000.0
    /// Room above a band for its title.
    private static let titleHeight = 20.0

    private(set) var height = 0.0
    private var parts: [Markup] = []

    /// Adds a band below what is there: its title, to the right of it a remark, then its content.
    mutating func band(
        _ title: String, remark: String = "", height bandHeight: Double, _ content: Markup
    ) {
        let baseline = height + 14
        parts.append("<text x=\"0\" y=\"\(baseline)\">\(title)</text>\n")
        if !remark.isEmpty {
            parts.append(
                "<text class=\"end\" x=\"100%\" y=\"\(baseline)\">\(remark)</text>\n")
        }
        let top = height + Self.titleHeight
        parts.append(
            "<svg y=\"\(top)\" width=\"100%\" height=\"\(bandHeight)\">\n\(content)</svg>\n")
        height = top + bandHeight + 10
    }

    /// Adds something at the bottom that takes so much room.
    mutating func append(height: Double, _ content: (_ top: Double) -> Markup) {
        parts.append(content(self.height))
        self.height += height
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
}

/// A labelled place of a picture's scale, from 0 at the left to 1 at the right.
struct PictureTick {
    var fraction: Double
    var label: String
}

extension Picture {
    /// Adds a scale below, with lines up through all bands; a narrow page shows other ticks than a
    /// wide one.
    mutating func scale(narrow: [PictureTick], wide: [PictureTick]) {
        for (ticks, classes) in [(narrow, "narrow"), (wide, "wide")] {
            let bottom = height
            underlay { _ in
                """
                <g class="grid \(classes)">\(ticks.map { tick -> Markup in
                    """
                    <line x1="\(tick.fraction * 100)%" x2="\(tick.fraction * 100)%" y1="0" \
                    y2="\(bottom)"/>
                    """
                })</g>

                """
            }
        }
        append(height: 20) { top in
            let groups = [(narrow, "narrow"), (wide, "wide")].map { ticks, classes -> Markup in
                """
                <g class="\(classes)">\(ticks.map { Self.label($0, baseline: top + 12) })</g>

                """
            }
            return "\(groups)"
        }
    }

    /// Centred below its tick, or inside at the ends.
    private static func label(_ tick: PictureTick, baseline: Double) -> Markup {
        let side = tick.fraction < 0.07 ? "start" : tick.fraction > 0.93 ? "end" : "middle"
        return """
            <text class="\(side)" x="\(tick.fraction * 100)%" y="\(baseline)">\(tick.label)</text>
            """
    }
}
