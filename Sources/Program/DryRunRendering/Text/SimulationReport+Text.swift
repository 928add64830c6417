public import DryRunReport
internal import Calendar
internal import PipelineCore

extension SimulationReport {
    /// The report for a terminal, with a final newline; its last line tells how long the simulation
    /// took, which is all that differs between two runs.
    ///
    /// - Parameters:
    ///   - width: Columns of the terminal.
    ///   - colour: Whether it shows colours.
    public func text(width: Int = 80, colour: Bool = false) -> String {
        let page = SimulationText(
            report: self, width: max(width, 40), ink: Ink(isColoured: colour))
        return (page.sections + [[pace]]).filter { !$0.isEmpty }
            .map { $0.joined(separator: "\n") + "\n" }.joined(separator: "\n")
    }
}

/// The sections of a simulation's report.
struct SimulationText {
    let report: SimulationReport
    let width: Int
    let ink: Ink

    fileprivate var sections: [[String]] {
        [
            verdict, Self.origin(of: report, width),
            Self.assumptions(report.assumptions, width, ink),
            timeline, BatchText(report: report, width: width, ink: ink).lines,
            WaitText(report: report, width: width, ink: ink).lines, generation, stages, deadLetters,
        ]
    }

    private var verdict: [String] {
        let verdict = report.verdict
        return Self.coloured(
            verdict.description, prefix: verdict.isGood ? "ok:" : "FAIL:", width, ink,
            verdict.isGood ? .goodBold : .badBold)
    }

    /// A verdict's lines, of which the first word has a colour.
    static func coloured(
        _ text: String, prefix: String, _ width: Int, _ ink: Ink, _ shade: Ink.Shade
    ) -> [String] {
        let indent = String(repeating: " ", count: prefix.isEmpty ? 0 : prefix.count + 1)
        var lines = Paragraph.lines(text, width: width, indent: indent)
        if !prefix.isEmpty, lines[0].hasPrefix(prefix) {
            lines[0] = ink(prefix, shade) + lines[0].dropFirst(prefix.count)
        }
        return lines
    }

    static func origin(of report: SimulationReport, _ width: Int) -> [String] {
        let text =
            "\(report.pipeline.printable) (\(report.file.printable)): "
            + "\(report.arrivals.count.counting("message", "messages")) with "
            + "\(report.cases.count.counting("case", "cases")) in \(report.traceLength.spoken)"
            + ", from \(CivilTime(report.start).dateAndMinutes) UTC on"
        return Paragraph.lines(text, width: width, indent: "  ")
    }

    /// A section's title with what is said beside it.
    static func titled(
        _ title: String, _ remark: String, _ width: Int, _ ink: Ink
    ) -> [String] {
        var lines = Paragraph.lines("\(title): \(remark)", width: width, indent: "  ")
        lines[0] = ink(title, .bold) + lines[0].dropFirst(title.count)
        return lines
    }

    static func assumptions(_ assumptions: [String], _ width: Int, _ ink: Ink) -> [String] {
        if assumptions.isEmpty { return [] }
        return [ink("Assumptions", .bold)]
            + assumptions.flatMap {
                Paragraph.lines($0.printable, width: width, first: "  - ", indent: "    ")
            }
    }

    private var timeline: [String] {
        guard !report.arrivals.isEmpty else { return [] }
        let timeline = TimelineText([report], width: width, ink: ink)
        return Self.titled("Timeline", timeline.legend, width, ink) + [""] + timeline.lines()
    }

    private var generation: [String] {
        guard let generation = report.generation, generation.runs > 0 else { return [] }
        let cases = report.cases.count
        let text =
            "\(generation.runs.counting("run", "runs")) in \(generation.busy.spoken); "
            + "a run for each of \(cases.counting("case", "cases")) would take "
            + "\(generation.single.spoken): \(generation.savingText)"
        return [ink("Generation", .bold)]
            + Paragraph.lines(text, width: width, first: "  ", indent: "  ")
    }

    private var stages: [String] {
        guard !report.stages.isEmpty else { return [] }
        var table = TextTable([
            ("stage", .left), ("type", .left), ("received", .right), ("passed", .right),
            ("", .left),
        ])
        table.rows = report.stages.map {
            [
                $0.id.printable, $0.type.printable, $0.received.grouped, $0.passed.grouped,
                report.remark(on: $0),
            ]
        }
        return [ink("Stages", .bold)] + table.lines(ink)
    }

    private var deadLetters: [String] {
        guard !report.deadLetters.isEmpty else { return [] }
        let room = max(20, width - 4)
        let lines = report.deadLetters.flatMap { letters in
            [
                "  \(letters.count.grouped) \(letters.code.printable) at \(letters.stage.printable)"
                    + (letters.example.isEmpty ? "" : ", for example:"),
                letters.example.isEmpty
                    ? nil : "    " + letters.example.printable.shortened(to: room),
            ].compactMap(\.self)
        }
        return [ink("Dead letters", .bold) + ": \(report.deadLettered.grouped)"] + lines
    }
}
