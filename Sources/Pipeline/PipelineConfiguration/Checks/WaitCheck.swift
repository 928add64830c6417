internal import PipelineCore
internal import Specification

/// The longest a case may wait is bounded, and within what is promised.
struct WaitCheck {
    let sla: Duration?
    let stages: [StageReading]
    let context: DecodingContext

    func run() {
        var total = Duration.zero
        var parts: [(stage: StageReading, wait: Duration)] = []
        for stage in stages {
            guard let definition = stage.definition else { continue }
            // Whether a wait is bounded does not depend on a promise that could not be read.
            guard let wait = definition.contract.longestWait(sla ?? .hours(24)) else {
                reportUnbounded(stage, definition)
                return
            }
            total += wait
            if wait > .zero { parts.append((stage, wait)) }
        }
        // A sum that lacks a stage says nothing.
        guard stages.allSatisfy({ $0.definition != nil }), let sla, total > sla,
            let longest = parts.max(by: { $0.wait < $1.wait })
        else { return }
        let sum = parts.map { "\($0.stage.shownName) \($0.wait.text)" }.joined(separator: ", ")
        longest.stage.report(
            .slaExceeded,
            "a case may wait \(total.text), longer than the \"sla\" of \(sla.text)",
            hint: "at worst: \(sum)", field: Self.field(of: longest.stage), in: context)
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
