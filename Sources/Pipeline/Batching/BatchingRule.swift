public import PipelineCore

/// When batches are sealed, and how large they are.
public struct BatchingRule: Sendable, Hashable {
    public var trigger: Trigger
    /// Most cases in a batch.
    public var maxBatch: Int
    /// Least time between two firings, except for firings by count and flushes.
    public var minInterval: Duration

    public init(trigger: Trigger, maxBatch: Int, minInterval: Duration) {
        self.trigger = trigger
        self.maxBatch = maxBatch
        self.minInterval = minInterval
    }

    /// How far waiting cases need to be counted: more makes no difference to the rule.
    public var countBound: Int { max(maxBatch, trigger.largestCount) }

    /// How many cases a batch has that is sealed for their number alone, the smallest such number;
    /// the most that it can have where no number decides.
    public var fullBatch: Int {
        let counts = trigger.alternatives.compactMap { trigger in
            if case .count(let count) = trigger { count } else { nil as Int? }
        }
        return min(maxBatch, counts.min() ?? maxBatch)
    }

    /// Whether the rule asks when the newest case arrived.
    public var needsNewest: Bool { trigger.needsNewest }

    /// Decides whether the open batch is sealed now. Pure: equal arguments, equal answers.
    ///
    /// - Parameter now: the store's clock.
    public func decide(_ open: OpenBatch, now: Timestamp) -> SealingDecision {
        guard open.count > 0 else { return .wait(until: nil) }
        let earliest = open.lastFired?.advanced(by: minInterval)
        let heldUntil = earliest.flatMap { $0 > now ? $0 : nil }
        switch trigger.evaluate(open, now: now, heldUntil: heldUntil) {
        case .holds(let reason, .full(let count)):
            return .fire(.full(closedBy: reason, size: min(count, maxBatch)))
        case .holds(let reason, .flush), .holds(let reason, .drain):
            return .fire(.drain(closedBy: reason))
        case .holdsFrom(let instant):
            return .wait(until: instant)
        }
    }
}
