internal import ConfigurationDiagnostics
public import DryRunReport
internal import PipelineCore

extension DryRunReport {
    /// The report for a terminal: the checklist, what is wrong with the file, and what the simulation showed; the
    /// comparisons' verdicts first.
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

    /// What belongs to a subject before it, as `bus: topic t` does to `bus`, is moved in below that.
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
