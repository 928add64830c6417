internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import DryRunReport
internal import LocatedJSON
internal import PipelineConfiguration

/// Which variables and files the file refers to, and what came of them. Never shows a secret.
struct EnvironmentStep {
    let reading: PipelineReading
    let environment: Environment

    /// Whether a diagnostic is about a value that the environment gave, or failed to give.
    func owns(_ diagnostic: Diagnostic) -> Bool {
        if diagnostic.code == .unknownEnvironment || diagnostic.code == .unreadableFile {
            return true
        }
        return reading.references.contains { $0.path == diagnostic.path && isSet($0) }
    }

    func checks(_ subject: String) -> [DryRunCheck] {
        if !reading.isDocument {
            return [DryRunCheck(.environment, subject, .skip, "the file could not be read")]
        }
        let unreadable = unreadableOfConnections
        if reading.references.isEmpty && unreadable.isEmpty {
            return [
                DryRunCheck(
                    .environment, subject, .ok, "the file refers to no variables and no files")
            ]
        }
        var checks: [DryRunCheck] = []
        var names: Set<String> = []
        var defaults: [String] = []
        for reference in reading.references {
            let name = reference.shownName
            let problem = problem(with: reference)
            // A variable may stand in several places: each of its problems counts, its value once.
            guard problem != nil || names.insert(name).inserted else { continue }
            if let problem {
                checks.append(
                    DryRunCheck(
                        .environment, name, .fail, problem.message + " (\(reference.path))",
                        hint: problem.hint))
            } else if isSet(reference) {
                checks.append(DryRunCheck(.environment, name, .ok, shownValue(of: reference)))
            } else {
                defaults.append(name)
            }
        }
        for problem in unreadable {
            checks.append(
                DryRunCheck(
                    .environment, "\(problem.path ?? .root)", .fail, problem.message,
                    hint: problem.hint))
        }
        if !defaults.isEmpty {
            checks.append(
                DryRunCheck(
                    .environment, "by default", .ok, defaults.joined(separator: ", ")))
        }
        return checks
    }

    /// What connections need, such as a certificate, and no reference stands for.
    private var unreadableOfConnections: [Diagnostic] {
        reading.diagnostics.list.filter { problem in
            problem.code == .unreadableFile && problem.severity == .error
                && !reading.references.contains { $0.path == problem.path }
        }
    }

    private func problem(with reference: SubstitutionReference) -> Diagnostic? {
        reading.diagnostics.list.first {
            $0.path == reference.path && $0.severity == .error && owns($0)
        }
    }

    private func isSet(_ reference: SubstitutionReference) -> Bool {
        switch reference.place {
        case .environment(let name): environment.value(of: name) != nil
        case .file: true
        }
    }

    private func shownValue(of reference: SubstitutionReference) -> String {
        guard case .environment(let name) = reference.place,
            let value = environment.value(of: name)
        else { return "was read" }
        let isSecret = reference.isNamedAsSecret || !isOfKnownSetting(reference.path)
        return isSecret ? "is set" : String(Redaction.withoutCredentials(value).prefix(120))
    }

    /// Whether the value belongs to a setting that may be shown; what is passed on to a library may
    /// not.
    private func isOfKnownSetting(_ path: JSONPath) -> Bool {
        let owner = reading.settings.filter { path.steps.starts(with: $0.path.steps) }
            .max { $0.path.steps.count < $1.path.steps.count }
        return owner.map { !$0.isSecret } ?? false
    }
}

extension SubstitutionReference {
    fileprivate var shownName: String {
        switch place {
        case .environment(let name): name
        case .file(let path): path
        }
    }
}

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
