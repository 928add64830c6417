internal import PipelineCore

/// How long a rule may leave a case waiting.
extension Trigger {
    /// The shortest wait of one of them; ticks count together, since each may come in another's gap.
    private static func longestWait(ofAny triggers: [Trigger], sla: Duration) -> Duration? {
        guard let shortest = triggers.compactMap({ $0.longestWait(sla: sla) }).min() else {
            return nil
        }
        var ticks = MergedTicks(of: triggers)
        return ticks?.longestGap(within: shortest) ?? shortest
    }

    /// The longest that a case waits for the trigger, whatever else arrives; `nil` when nothing
    /// bounds it.
    ///
    /// - Parameter sla: how far away a case's deadline is at least when it arrives.
    public func longestWait(sla: Duration) -> Duration? {
        switch self {
        case .count(let count): count <= 1 ? .zero : nil
        case .maxAge(let age): age
        // Arrivals may go on for ever.
        case .idle: nil
        case .every(let period): period
        case .cron(let schedule): schedule.longestGap
        case .deadlineMargin(let margin): max(.zero, sla - margin)
        case .manual: nil
        case .any: Self.longestWait(ofAny: alternatives, sla: sla)
        case .all(let triggers):
            triggers.reduce(.zero as Duration?) { longest, trigger in
                guard let longest, let wait = trigger.longestWait(sla: sla) else { return nil }
                return max(longest, wait)
            }
        }
    }
}
