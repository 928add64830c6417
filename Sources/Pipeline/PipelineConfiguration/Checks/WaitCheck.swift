internal import LocatedJSON
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import PipelineCore

/// The longest a case may wait is bounded, and within what is promised.
struct WaitCheck {
    let sla: Duration?
    let stages: [StageReading]
    let context: DecodingContext

    /// What a stage adds to the wait.
    private struct Part {
        var stage: StageReading
        var wait: Duration
        /// What it adds when one run fails.
        var retry: Duration
    }

    /// What the sum leaves out, since no rule bounds it.
    private static let assumptions =
        "assumed: stores and buses reachable, a worker free for each batch, one failed run at most"

    func run() {
        var parts: [Part] = []
        for stage in stages {
            guard let definition = stage.definition else { continue }
            // Whether a wait is bounded does not depend on a promise that could not be read.
            guard let wait = definition.contract.longestWait(sla ?? .hours(24)) else {
                reportUnbounded(stage, definition)
                return
            }
            parts.append(Part(stage: stage, wait: wait, retry: definition.contract.retryBudget))
        }
        let total = parts.reduce(.zero) { $0 + $1.wait + $1.retry }
        // A sum that lacks a stage says nothing.
        guard stages.allSatisfy({ $0.definition != nil }), let sla, total > .zero,
            let longest = parts.max(by: { $0.wait < $1.wait })?.stage
        else { return }
        let sum = "\(Self.sum(parts)); \(Self.assumptions)"
        if total > sla {
            longest.report(
                .slaExceeded,
                "a case may wait \(Self.shown(total)), longer than the \"sla\" of \(sla.text)",
                hint: sum,
                field: Self.field(of: longest), in: context)
        } else if !isGuessed {
            longest.report(
                .worstCaseWait,
                "a case waits at most \(Self.shown(total)) for its answer, within the \"sla\" of "
                    + sla.text, hint: sum, field: Self.field(of: longest), severity: .note,
                in: context)
        }
    }

    /// Whether the figures may be those of examples, or the chain never runs as it is.
    private var isGuessed: Bool {
        context.problems.list.contains {
            $0.severity == .error || $0.code == .unknownEnvironment || $0.code == .unreadableFile
        }
    }

    /// `"batch" 12h + "reports" 5m, and after a failed run "batch" 10m + "reports" 5m`.
    private static func sum(_ parts: [Part]) -> String {
        func list(_ part: KeyPath<Part, Duration>) -> String {
            parts.filter { $0[keyPath: part] > .zero }
                .map { "\($0.stage.shownName) \(shown($0[keyPath: part]))" }.joined(
                    separator: " + ")
        }
        let retries = list(\.retry)
        return list(\.wait) + (retries.isEmpty ? "" : ", and after a failed run \(retries)")
    }

    /// In whole seconds, rounded up, unless it is short.
    private static func shown(_ wait: Duration) -> String {
        let (seconds, rest) = wait.components
        let isWhole = rest == 0 || seconds < 60
        return (isWhole ? wait : .seconds(seconds + 1)).text
    }

    private func reportUnbounded(_ stage: StageReading, _ definition: StageDefinition) {
        // Its own objections say more than this can.
        guard !definition.contract.objections.contains(where: { !$0.isWarning }) else { return }
        stage.report(
            .unboundedWait, "\(OrderCheck.shown(stage)) may keep a case for ever",
            hint: "add a rule that fires by itself, such as max_age",
            field: Self.field(of: stage), in: context)
    }

    /// The setting that decides how long a barrier waits, where there is one of that name.
    private static func field(of stage: StageReading) -> String {
        stage.json["trigger"] == nil ? "" : "trigger"
    }
}
