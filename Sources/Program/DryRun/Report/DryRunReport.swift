public import CommandLineInterface
public import ConfigurationDiagnostics
public import LocatedJSON

/// Everything that a dry run found out: a checklist, and what the simulation showed.
public struct DryRunReport: Sendable {
    /// The file, as the operator named it.
    public var file: String
    public var checks: [DryRunCheck] = []
    /// What is wrong with the file, with positions.
    public var diagnostics = Diagnostics([])
    public var simulation: SimulationReport?
    /// Other rule sets on the same trace.
    public var others: [SimulationReport] = []

    /// The others beside the file's own rule set; nil without any.
    public var comparisons: Comparisons? {
        guard let simulation, !others.isEmpty else { return nil }
        return Comparisons(simulation, others)
    }

    public init(file: String) { self.file = file }
}

/// An entry of the checklist.
public struct DryRunCheck: Sendable, Hashable {
    public enum Step: String, Sendable, CaseIterable {
        case `static`, environment, connect, simulate
    }
    public enum Status: String, Sendable {
        case ok
        case fail = "FAIL"
        case skip = "SKIP"
    }
    public var step: Step
    /// What was looked at: `bus (kafka://localhost:9092)`, `topic report-requests`; empty for the step as a whole.
    public var subject: String
    public var status: Status
    /// What was found, or why it was skipped; one sentence without a full stop.
    public var detail: String
    /// What to do about it.
    public var hint: String?
    /// Whether it failed because nobody answers.
    public var isUnreachable = false
    public init(
        _ step: Step, _ subject: String, _ status: Status, _ detail: String, hint: String? = nil
    ) {
        self.step = step
        self.subject = subject
        self.status = status
        self.detail = detail
        self.hint = hint
    }
}

extension DryRunReport {
    /// The checklist for people: a line an entry in three aligned columns, hints below.
    ///
    /// - Parameter isColored: whether the status is coloured, by [ANSI
    ///   sequences](https://man7.org/linux/man-pages/man4/console_codes.4.html).
    public func checklist(isColored: Bool) -> String {
        var text = ""
        for step in DryRunCheck.Step.allCases {
            let entries = checks.filter { $0.step == step }
            let subjects = Self.indented(entries.map(\.subject))
            let column = subjects.map(\.count).filter { $0 <= Self.widestSubject }.max() ?? 0
            for (index, entry) in entries.enumerated() {
                text += Self.padded(index == 0 ? step.rawValue : "", to: Self.stepWidth)
                text += Self.status(entry.status, isColored: isColored)
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

    private static func status(_ status: DryRunCheck.Status, isColored: Bool) -> String {
        let padding = String(repeating: " ", count: statusWidth - status.rawValue.count)
        guard isColored else { return status.rawValue + padding }
        let color =
            switch status {
            case .ok: 32
            case .fail: 31
            case .skip: 33
            }
        return "\u{1B}[\(color)m\(status.rawValue)\u{1B}[0m\(padding)"
    }
}

extension DryRunReport {
    /// How the command ends: 78 when the file or its environment is not in order, 69 when a backend can't be reached,
    /// 1 when another check failed.
    ///
    /// - Parameter strict: whether a step that was skipped counts as failed.
    public func exitCode(strict: Bool) -> ExitCode {
        let failed = checks.filter { $0.status == .fail }
        if failed.contains(where: { $0.step == .static || $0.step == .environment }) {
            return .configuration
        }
        if failed.contains(where: \.isUnreachable) { return .unavailable }
        if !failed.isEmpty { return .failure }
        return strict && checks.contains { $0.status == .skip } ? .failure : .success
    }
}

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
