public import Specification

extension DryRunReport {
    /// The checklist and the diagnostics as the first members of an object, for whoever adds what the simulation showed.
    ///
    /// `checks` holds `{"step", "subject", "status", "detail", "hint", "unreachable"}`: a subject is empty for a step as a
    /// whole; a hint is left out where there is none; `unreachable` is `true`, or left out.
    ///
    /// - Parameter strict: see ``exitCode(strict:)``.
    public func checklistJSON(strict: Bool) -> [(String, JSON)] {
        [
            ("file", .string(file)),
            ("exit_code", .number(Int(exitCode(strict: strict).rawValue))),
            ("checks", .array(checks.map(\.json))),
            ("diagnostics", .array(diagnostics.list.map(\.json))),
        ]
    }
}

extension DryRunCheck {
    var json: JSON {
        var members: [(String, JSON)] = [
            ("step", .string(step.rawValue)), ("subject", .string(subject)),
            ("status", .string(status.rawValue)), ("detail", .string(detail)),
        ]
        if let hint { members.append(("hint", .string(hint))) }
        if isUnreachable { members.append(("unreachable", true)) }
        return .object(members)
    }
}
