internal import DryRun
internal import Specification

/// A dry run's report as it is printed.
struct DryRunOutput {
    let report: DryRunReport
    let options: DryRunOptions

    var text: String {
        switch options.format {
        case .text: checklist
        case .json:
            JSON.object(report.checklistJSON(strict: options.strict)).written(.pretty) + "\n"
        case .html: checklist
        }
    }

    private var checklist: String {
        let problems = report.diagnostics.rendered(as: .text)
        return report.checklist(isColored: StandardOutput.isForPeople)
            + (problems.isEmpty ? "" : "\n\(problems)")
    }
}
