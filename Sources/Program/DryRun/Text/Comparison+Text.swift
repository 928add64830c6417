internal import PipelineCore

extension Comparison {
    /// The comparison for a terminal, with a final newline; its last two lines tell how long the
    /// simulations took, which is all that differs between two runs.
    ///
    /// - Parameters:
    ///   - width: Columns of the terminal.
    ///   - colour: Whether it shows colours.
    public func text(width: Int = 80, colour: Bool = false) -> String {
        let (width, ink) = (max(width, 40), Ink(isColoured: colour))
        let sections = [
            Paragraph.lines(verdict.printable, width: width, indent: "  ").map { ink($0, .bold) },
            verdicts(width, ink), SimulationText.origin(of: base, width), assumptions(width, ink),
            timelines(width, ink), figures(ink),
            [
                "\(names.base.printable): \(base.pace)", "\(names.other.printable): \(other.pace)",
            ],
        ]
        return sections.filter { !$0.isEmpty }.map { $0.joined(separator: "\n") + "\n" }
            .joined(separator: "\n")
    }

    private func verdicts(_ width: Int, _ ink: Ink) -> [String] {
        [(names.base, base), (names.other, other)].flatMap { name, report in
            let verdict = report.verdict
            let prefix = verdict.isGood ? "ok" : "FAIL"
            return SimulationText.coloured(
                "\(prefix) \(name.printable): \(verdict.sentence)", prefix: prefix, width, ink,
                verdict.isGood ? .goodBold : .badBold)
        }
    }

    /// Those of both, then those that only one rests on.
    private func assumptions(_ width: Int, _ ink: Ink) -> [String] {
        SimulationText.assumptions(assumptions, width, ink)
    }

    /// Those of both, then those that only one rests on, which bear its name.
    var assumptions: [String] {
        let shared = base.assumptions.filter(other.assumptions.contains)
        func own(_ report: SimulationReport, _ name: String) -> [String] {
            report.assumptions.filter { !shared.contains($0) }.map { "\(name): \($0)" }
        }
        return shared + own(base, names.base) + own(other, names.other)
    }

    private func timelines(_ width: Int, _ ink: Ink) -> [String] {
        guard !base.arrivals.isEmpty else { return [] }
        let timeline = TimelineText([base, other], width: width, ink: ink)
        return SimulationText.titled("Timeline", timeline.legend, width, ink) + [""]
            + timeline.lines(titles: [names.base, names.other])
    }

    private func figures(_ ink: Ink) -> [String] {
        var table = TextTable([
            ("", .left), (names.base.printable.shortened(to: 24), .right),
            (names.other.printable.shortened(to: 24), .right), ("difference", .left),
        ])
        table.rows = rows.map { [$0.name.printable, $0.base, $0.other, $0.difference] }
        return [ink("Side by side", .bold)] + table.lines(ink)
    }
}
