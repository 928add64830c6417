internal import DryRun
internal import Specification

/// A dry run's report as it is printed.
struct DryRunOutput {
    let report: DryRunReport
    let options: DryRunOptions
    /// Columns and colour of what people read.
    var width = StandardOutput.width
    var isColored = StandardOutput.isForPeople

    var text: String {
        switch options.format {
        case .text: plain
        case .json: json.written(.pretty) + "\n"
        case .html: report.html()
        }
    }

    /// The checklist, what is wrong with the file, and what the simulation showed; the comparisons' verdicts first.
    private var plain: String {
        let problems = report.diagnostics.rendered(as: .text)
        let checklist = [report.checklist(isColored: isColored), problems]
        var paragraphs = checklist
        if let text = report.comparisons?.text(width: width, colour: isColored) {
            let verdict = text.split(separator: "\n\n", maxSplits: 1)
            paragraphs = ["\(verdict[0])\n"] + checklist + verdict.dropFirst().map(String.init)
        } else if let text = report.simulation?.text(width: width, colour: isColored) {
            paragraphs.append(text)
        }
        return paragraphs.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var json: JSON {
        var members = report.checklistJSON(strict: options.strict)
        if let pairs = report.comparisons?.pairs {
            // Several are a list; whoever asks for one gets that one.
            members.append(
                pairs.count == 1
                    ? ("comparison", pairs[0].json)
                    : ("comparisons", .array(pairs.map(\.json))))
        } else if let simulation = report.simulation {
            members.append(("simulation", simulation.json))
        }
        return .object(members)
    }
}
