public import PipelineCore

/// What a ledger knows about the cases that wait, read under the rule's lock, all times on the
/// store's clock.
public struct OpenBatch: Sendable, Hashable {
    /// Waiting cases, counted up to a bound that the rule names (``BatchingRule/countBound``).
    public var count: Int
    /// When the oldest of them was accepted.
    public var oldest: Timestamp?
    /// When the newest of them was accepted. Only needed where the rule asks for it
    /// (``BatchingRule/needsNewest``), and only if it is later than the last firing.
    public var newest: Timestamp?
    /// The earliest deadline among them.
    public var earliestDeadline: Timestamp?
    /// When somebody last asked for a flush. It stands until a drain has begun after it, and so has
    /// taken all that had been accepted before it; `nil` when nothing of that waits any more.
    public var flushRequested: Timestamp?
    /// When the rule last fired.
    public var lastFired: Timestamp?

    public init(
        count: Int, oldest: Timestamp?, newest: Timestamp? = nil, earliestDeadline: Timestamp?,
        flushRequested: Timestamp? = nil, lastFired: Timestamp? = nil
    ) {
        self.count = count
        self.oldest = oldest
        self.newest = newest
        self.earliestDeadline = earliestDeadline
        self.flushRequested = flushRequested
        self.lastFired = lastFired
    }
}
