public import PipelineCore

/// What a ledger knows about the cases that wait, read under the rule's lock, all times on the store's clock.
public struct OpenBatch: Sendable, Hashable {
    /// Waiting cases, counted up to a bound that the rule names (``BatchingRule/countBound``).
    public var count: Int
    /// When the oldest of them was accepted.
    public var oldest: Timestamp?
    /// The earliest deadline among them.
    public var earliestDeadline: Timestamp?
    /// When somebody last asked for a flush, if that was after the last firing.
    public var flushRequested: Timestamp?
    /// When the rule last fired.
    public var lastFired: Timestamp?

    public init(
        count: Int, oldest: Timestamp?, earliestDeadline: Timestamp?,
        flushRequested: Timestamp? = nil, lastFired: Timestamp? = nil
    ) {
        self.count = count
        self.oldest = oldest
        self.earliestDeadline = earliestDeadline
        self.flushRequested = flushRequested
        self.lastFired = lastFired
    }
}
