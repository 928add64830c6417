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

    private var comparison: Comparison? {
        guard let base = report.simulation, let other = report.other else { return nil }
        return Comparison(base, other)
    }

    /// The checklist, what is wrong with the file, and what the simulation showed.
    private var plain: String {
        let problems = report.diagnostics.rendered(as: .text)
        let simulated =
            comparison?.text(width: width, colour: isColored)
            ?? report.simulation?.text(width: width, colour: isColored)
        return [report.checklist(isColored: isColored), problems, simulated ?? ""]
            .filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var json: JSON {
        var members = report.checklistJSON(strict: options.strict)
        if let comparison {
            members.append(("comparison", comparison.json))
        } else if let simulation = report.simulation {
            members.append(("simulation", simulation.json))
        }
        return .object(members)
    }
}
