internal import Calendar
internal import ConfigurationDiagnostics
public import DryRunReport
internal import PipelineCore

extension DryRunReport {
    /// The report for a terminal: the checklist, what is wrong with the file, and what the
    /// simulation showed; the comparisons' verdicts first.
    ///
    /// - Parameters:
    ///   - width: Columns of the terminal.
    ///   - colour: Whether it shows colours.
    public func text(width: Int = 80, colour: Bool = false) -> String {
        let checklist = [checklist(colour: colour), diagnostics.rendered(as: .text)]
        var paragraphs = checklist
        if let text = comparisons?.text(width: width, colour: colour) {
            let verdict = text.split(separator: "\n\n", maxSplits: 1)
            paragraphs = ["\(verdict[0])\n"] + checklist + verdict.dropFirst().map(String.init)
        } else if let text = simulation?.text(width: width, colour: colour) {
            paragraphs.append(text)
        }
        return paragraphs.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// The checklist for people: a line an entry in three aligned columns, hints below.
    ///
    /// - Parameter colour: whether the status is coloured, by [ANSI
    ///   sequences](https://man7.org/linux/man-pages/man4/console_codes.4.html).
    public func checklist(colour: Bool) -> String {
        var text = ""
        for step in DryRunCheck.Step.allCases {
            let entries = checks.filter { $0.step == step }
            let subjects = Self.indented(entries.map(\.subject))
            let column = subjects.map(\.count).filter { $0 <= Self.widestSubject }.max() ?? 0
            for (index, entry) in entries.enumerated() {
                text += Self.padded(index == 0 ? step.rawValue : "", to: Self.stepWidth)
                text += Self.status(entry.status, colour: colour)
                if column > 0 { text += Self.padded(subjects[index], to: column) + "  " }
                text += entry.detail + "\n"
                if let hint = entry.hint {
                    let indent = Self.stepWidth + Self.statusWidth + (column > 0 ? column + 2 : 0)
                    text += String(repeating: " ", count: indent) + "hint: \(hint)\n"
                }
            }
        }
        return text
    }

    private static let stepWidth = 13
    private static let statusWidth = 6
    /// Longer subjects push their own line only.
    private static let widestSubject = 44

    /// What belongs to a subject before it, as `bus: topic t` does to `bus`, is moved in below
    /// that.
    private static func indented(_ subjects: [String]) -> [String] {
        subjects.enumerated().map { index, subject in
            let owner = subjects[..<index].last { subject.hasPrefix("\($0): ") && !$0.isEmpty }
            return owner.map { "  " + subject.dropFirst($0.count + 2) } ?? subject
        }
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func status(_ status: DryRunCheck.Status, colour: Bool) -> String {
        let shade: Ink.Shade =
            switch status {
            case .ok: .good
            case .fail: .bad
            case .skip: .yellow
            }
        return Ink(isColoured: colour)(status.rawValue, shade)
            + padded("", to: statusWidth - status.rawValue.count)
    }
}

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
