public import DryRunReport
internal import PipelineCore

extension Comparison {
    /// As ``Comparisons/text(width:colour:)`` of this one alone.
    public func text(width: Int = 80, colour: Bool = false) -> String {
        Comparisons(base, [other]).text(width: width, colour: colour)
    }
}

extension Comparisons {
    /// The comparison for a terminal, with a final newline; its last lines, one for each rule set,
    /// tell how long the simulations took, which is all that differs between two runs.
    ///
    /// - Parameters:
    ///   - width: Columns of the terminal.
    ///   - colour: Whether it shows colours.
    public func text(width: Int = 80, colour: Bool = false) -> String {
        let (width, ink) = (max(width, 40), Ink(isColoured: colour))
        guard let base = reports.first else { return "" }
        let sections = [
            pairs.flatMap {
                Paragraph.lines($0.verdict.printable, width: width, indent: "  ")
            }.map { ink($0, .bold) },
            verdicts(width, ink), SimulationText.origin(of: base, width),
            SimulationText.assumptions(assumptions, width, ink),
            timelines(width, ink), figures(ink),
            zip(names, reports).map { "\($0.printable): \($1.pace)" },
        ]
        return sections.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") + "\n" }
            .joined(separator: "\n")
    }

    private func verdicts(_ width: Int, _ ink: Ink) -> [String] {
        zip(names, reports).flatMap { name, report in
            let verdict = report.verdict
            let prefix = verdict.isGood ? "ok" : "FAIL"
            return SimulationText.coloured(
                "\(prefix) \(name.printable): \(verdict.sentence)", prefix: prefix, width, ink,
                verdict.isGood ? .goodBold : .badBold)
        }
    }

    private func timelines(_ width: Int, _ ink: Ink) -> [String] {
        guard reports.first?.arrivals.isEmpty == false else { return [] }
        let timeline = TimelineText(reports, width: width, ink: ink)
        return SimulationText.titled("Timeline", timeline.legend, width, ink) + [""]
            + timeline.lines(titles: names)
    }

    /// With one other also how that differs; of several the figures alone fit beside each other.
    private func figures(_ ink: Ink) -> [String] {
        let isPair = pairs.count == 1
        var table = TextTable(
            [("", .left)]
                + names.map { ($0.printable.shortened(to: isPair ? 24 : 18), .right) }
                + (isPair ? [("difference", .left)] : []))
        table.rows = rows.map { row in
            [row.name.printable, row.base] + row.others.map(\.other)
                + (isPair ? row.others.map(\.difference) : [])
        }
        return [ink("Side by side", .bold)] + table.lines(ink)
    }
}
