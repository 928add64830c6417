public import ConfigurationDiagnostics

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
    /// What was looked at: `bus (kafka://localhost:9092)`, `topic report-requests`; empty for the
    /// step as a whole.
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
    /// What a dry run comes to, the worst of what its checks found.
    public enum Outcome: Sendable, Hashable {
        /// Nothing failed.
        case passed
        /// A check failed, or was skipped where that counts.
        case failed
        /// A backend can't be reached.
        case unreachable
        /// The file or its environment is not in order.
        case misconfigured
    }

    /// - Parameter strict: whether a step that was skipped counts as failed.
    public func outcome(strict: Bool) -> Outcome {
        let failed = checks.filter { $0.status == .fail }
        if failed.contains(where: { $0.step == .static || $0.step == .environment }) {
            return .misconfigured
        }
        if failed.contains(where: \.isUnreachable) { return .unreachable }
        if !failed.isEmpty { return .failed }
        return strict && checks.contains { $0.status == .skip } ? .failed : .passed
    }
}
