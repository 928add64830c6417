internal import Specification

extension SimulationReport {
    /// The checklist's entry: failed when an answer was late, or never came.
    func check(subject: String) -> DryRunCheck {
        let ran = "\(cases.count) cases in \(traceLength.text), \(batches.count) batches"
        let verdict = verdict
        if verdict.isGood {
            let longest = waits.last.map { "\(ran): the longest wait was \($0.inSeconds.text)" }
            return DryRunCheck(.simulate, subject, .ok, longest ?? verdict.sentence)
        }
        if waits.isEmpty {
            return DryRunCheck(.simulate, subject, .fail, "\(ran): none was answered")
        }
        return DryRunCheck(
            .simulate, subject, .fail,
            "\(ran): \(late) answers came after their deadline, \(afterSLA) after the SLA of \(sla.text), "
                + "\(unanswered) never",
            hint: "a smaller max_age, more workers, or a longer sla")
    }
}

extension Duration {
    /// Fractions of a second are below what the assumptions bear.
    fileprivate var inSeconds: Duration { .seconds(components.seconds) }
}
