internal import PipelineConfiguration
internal import Specification

/// Whether the file is in order, whatever the environment.
struct StaticStep {
    let reading: PipelineReading
    let isAboutEnvironment: (Diagnostic) -> Bool

    func check(_ subject: String) -> DryRunCheck {
        let own = reading.diagnostics.list.filter { !isAboutEnvironment($0) }
        let errors = own.count { $0.severity == .error }
        let warnings = own.count { $0.severity == .warning }
        let found = [Self.count(errors, "error"), Self.count(warnings, "warning")]
            .compactMap(\.self).joined(separator: " and ")
        if errors > 0 {
            return DryRunCheck(
                .static, subject, .fail, found,
                hint: "`penstock stages NAME` explains a stage and its settings")
        }
        guard let definition = reading.definition else {
            return DryRunCheck(.static, subject, .ok, "nothing is wrong with what could be read")
        }
        let stages = definition.stages.map(\.type)
        let chain = "\(stages.count) stages: \(stages.joined(separator: " → "))"
        return DryRunCheck(
            .static, subject, .ok, found.isEmpty ? chain : "\(chain); \(found)")
    }

    private static func count(_ number: Int, _ noun: String) -> String? {
        number == 0 ? nil : "\(number) \(noun)\(number == 1 ? "" : "s")"
    }
}
