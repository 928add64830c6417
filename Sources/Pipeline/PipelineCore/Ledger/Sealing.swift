/// What a ledger knows about the cases that wait, read under the rule's lock, all times on the
/// store's clock.
public struct OpenBatch: Sendable, Hashable {
    /// Waiting cases, counted up to a bound that the rule names.
    public var count: Int
    /// When the oldest of them was accepted.
    public var oldest: Timestamp?
    /// When the newest of them was accepted. Only needed where the rule asks for it,
    /// and only if it is later than the last firing.
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

/// What a rule says of an open batch.
public enum SealingDecision: Sendable, Hashable {
    case fire(Firing)
    /// Nothing to do before that, unless more arrives; `nil`: nothing to do until more arrives.
    case wait(until: Timestamp?)
}

/// How much a rule seals.
public enum Firing: Sendable, Hashable {
    /// Seals one batch of exactly `size` cases, earliest deadline first; the next case opens the
    /// next batch.
    case full(closedBy: String, size: Int)
    /// Seals everything that waits, into ⌈n / maxBatch⌉ batches.
    case drain(closedBy: String)
    public var closedBy: String {
        switch self {
        case .full(let reason, _), .drain(let reason): reason
        }
    }
}

/// What an evaluation of the rule found and did.
public struct SealingResult: Sendable {
    /// What waits after sealing.
    public var open: OpenBatch
    /// The store's clock at the evaluation.
    public var clock: Timestamp
    /// The batches that were sealed, in order.
    public var sealed: [SealedBatch]
    /// When to evaluate again at the latest; `nil`: when something arrives.
    public var next: Timestamp?
    /// Another process has a newer rule (its revision): this one must not seal.
    public var outdatedBy: Int64?
    public init(
        open: OpenBatch, clock: Timestamp, sealed: [SealedBatch], next: Timestamp?,
        outdatedBy: Int64? = nil
    ) {
        self.open = open
        self.clock = clock
        self.sealed = sealed
        self.next = next
        self.outdatedBy = outdatedBy
    }
}

public struct SealedBatch: Sendable, Hashable {
    public var number: Int64
    public var count: Int
    public var closedBy: String
    public init(number: Int64, count: Int, closedBy: String) {
        self.number = number
        self.count = count
        self.closedBy = closedBy
    }
}
