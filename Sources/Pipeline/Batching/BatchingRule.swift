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

    /// Decides whether the open batch is sealed now. Pure: equal arguments, equal answers.
    ///
    /// - Parameter now: the store's clock.
    public func decide(_ open: OpenBatch, now: Timestamp) -> SealingDecision {
        guard open.count > 0 else { return .wait(until: nil) }
        switch trigger.evaluate(open, now: now) {
        case .holds(let reason, let count):
            if let count {
                return .fire(.full(closedBy: reason, size: min(count, maxBatch)))
            }
            let earliest = open.lastFired?.advanced(by: minInterval)
            if reason != "manual", let earliest, earliest > now { return .wait(until: earliest) }
            return .fire(.drain(closedBy: reason))
        case .holdsFrom(let instant):
            return .wait(until: instant)
        }
    }
}

public enum SealingDecision: Sendable, Hashable {
    case fire(Firing)
    /// Nothing to do before that, unless more arrives; `nil`: nothing to do until more arrives.
    case wait(until: Timestamp?)
}

public enum Firing: Sendable, Hashable {
    /// Seals one batch of exactly `size` cases, earliest deadline first; the next case opens the next batch.
    case full(closedBy: String, size: Int)
    /// Seals everything that waits, into ⌈n / maxBatch⌉ batches.
    case drain(closedBy: String)
    public var closedBy: String {
        switch self {
        case .full(let reason, _), .drain(let reason): reason
        }
    }
}
