internal import Specification

extension SimulationReport {
    /// The checklist's entry: failed when an answer was late, or never came.
    func check(subject: String) -> DryRunCheck {
        let ran = "\(cases.count) cases in \(traceLength.text), \(batches.count) batches"
        guard let longest = wait(quantile: 1) else {
            return DryRunCheck(
                .simulate, subject, cases.isEmpty ? .ok : .fail,
                cases.isEmpty ? "nothing arrived" : "\(ran): none was answered")
        }
        if unanswered == 0 && late == 0 {
            return DryRunCheck(
                .simulate, subject, .ok, "\(ran): the longest wait was \(longest.inSeconds.text)")
        }
        return DryRunCheck(
            .simulate, subject, .fail,
            "\(ran): \(late) answers came later than the SLA of \(sla.text), \(unanswered) never",
            hint: "a smaller max_age, more workers, or a longer sla")
    }
}

extension Duration {
    /// Fractions of a second are below what the assumptions bear.
    fileprivate var inSeconds: Duration { .seconds(components.seconds) }
}
