/// The durable record of one `accumulate` stage: accepted cases, the open batch, sealed batches,
/// outcomes, and the positions of the inputs that feed it.
///
/// Every method is one transaction. Times are the store's clock. Errors are ``PipelineError``s:
/// `retryable` while the store can't be reached (the effect is unknown: look before repeating),
/// `fenced` when another process has taken over a position (`position-moved`), a batch
/// (`lease-lost`) or the rule (`rule-outdated`).
public protocol Ledger: CaseReader, PositionStore, ParkedOutcomes, LedgerInspection,
    LedgerPauses
{
    /// Creates the stage's row, or takes note of its rule: the higher revision wins. A rule without
    /// a revision takes the stored one if its text is the same, else the next.
    ///
    /// - Returns: stages of the store with open work that are not among the stage's owners, but may
    ///   be another process's: if they are not, nobody works on them.
    /// - Throws: `fatal` `rule-conflict` when the stored rule has the same revision and another
    ///   text, `state-unowned` when the stage's owners leave something behind, see
    ///   ``StateOwnership``.
    @discardableResult
    func register() async throws -> [StageState]

    /// Inserts a chunk's cases and advances its positions, both or neither.
    ///
    /// A repeat of a live or succeeded case resolves to it, a repeat of a failed one opens it again
    /// as a new attempt. Cases that are known with another digest are conflicts: if there are any,
    /// nothing is written at all.
    ///
    /// A chunk that was handed in before and never answered (``Submissions/unanswered``) is found
    /// to be accepted by its positions; it counts as new then. A ledger whose answers can't be lost
    /// may leave that out.
    func accept(_ submissions: Submissions) async throws -> Acceptance
    /// Takes chunks out of the window and accepts each as ``accept(_:)`` does, in order; may send
    /// one ahead while the store works on the one before. Answers each to the window.
    ///
    /// Returns when the window has no next chunk, or for reasons of the ledger's own (others wait
    /// for its connection). One that was sent behind a chunk that was not accepted may have been
    /// accepted all the same, if they have no input in common.
    /// - Throws: when the store can't be reached: what has no answer then may have been accepted or
    ///   not.
    func accept(from window: any SubmissionWindow) async throws

    /// Locks the rule, evaluates it, and seals what it says, in one transaction.
    func seal() async throws -> SealingResult
    /// Asks for the `manual` trigger.
    func requestFlush() async throws

    /// Claims the oldest batch that is sealed, not committed, and under no living lease; `nil` if
    /// there is none.
    ///
    /// - Parameter limit: how many batches may be under living leases, over all processes; where
    ///   that keeps a worker from a batch, it gets one before those that ask later.
    func claim(worker: String, lease: Duration, atMost limit: Int?) async throws -> Batch?
    func extend(batch: Int64, token: Int64, lease: Duration) async throws
    /// Writes the outcomes, the batch's end and a delivery for each sink in one transaction under
    /// the token.
    ///
    /// The same commit repeated (a lost answer) succeeds again and changes nothing.
    /// - Returns: when the batch was committed, on the store's clock; the first time, for a repeat.
    @discardableResult
    func commit(_ commit: BatchCommit) async throws -> Timestamp
    /// Ends the lease: the batch can be claimed again after `delay`.
    func release(batch: Int64, token: Int64, after delay: Duration, reason: String) async throws
    /// Ends the lease as if the batch had not been claimed: it can be claimed again at once, and
    /// the claim was no attempt. The token is spent.
    func handBack(batch: Int64, token: Int64) async throws
    /// Replaces the batch by two sealed ones with the two halves of its cases.
    func bisect(batch: Int64, token: Int64) async throws

    /// Claims the oldest committed batch that the sink has not delivered; `nil` if there is none.
    /// Of one that was delivered before, it brings the parked outcomes that are due again.
    func claimDelivery(sink: String, worker: String, lease: Duration) async throws -> OutcomeBatch?
    func extendDelivery(batch: Int64, sink: String, token: Int64, lease: Duration) async throws
    /// Ends the delivery, parking what the sink refuses for good, in one transaction. The same end
    /// said again (a lost answer) changes nothing.
    func delivered(batch: Int64, sink: String, token: Int64, refused: [OutcomeRefusal])
        async throws
    func releaseDelivery(batch: Int64, sink: String, token: Int64, after delay: Duration)
        async throws
    /// Ends the lease as if the delivery had not been claimed, as ``handBack(batch:token:)`` does
    /// for a batch.
    func handBackDelivery(batch: Int64, sink: String, token: Int64) async throws

    /// Ends cases that have no outcome with one of that state (`cancelled` or `expired`); others
    /// stay. Answers how many.
    ///
    /// Those that wait leave the open batch; the sinks deliver their outcomes, too. Those that are
    /// sealed keep their place in their batch, which goes on: what its commit says of them is
    /// dropped, and its sinks deliver the outcome that they have. Of an end and a commit that meet,
    /// the first holds.
    func end(
        _ ids: [UUID], as state: CaseState, reason: String, sinks: [String]
    ) async throws -> Int
    /// Opens those of the cases again that have an outcome: each waits for a batch as a new attempt
    /// with the same id and parameters, due one SLA from now. Answers how many; a repeat (a lost
    /// answer) finds them opened, and does nothing.
    ///
    /// Until the new outcome is committed, readers are answered the old one of a case that
    /// succeeded, and nothing ends it.
    func refresh(_ ids: [UUID]) async throws -> Int
    /// Opens the cases of a committed batch again, in one sealed batch (`closed_by` `replay`): each
    /// gets another attempt with the same id and parameters, due one SLA from now.
    ///
    /// Only cases whose newest attempt is that of the batch, and that were generated. Until the new
    /// outcome is committed, readers are answered the old one of a case that succeeded. A repeat (a
    /// lost answer) finds the cases opened again, and does nothing.
    /// - Throws: `fatal` `batch-unknown`, and `batch-unfinished` for one without outcomes.
    func replay(batch: Int64) async throws -> BatchReplay
    /// Deletes one finished batch, all its sinks delivered and nothing of it parked, that ended
    /// before `before`. Answers how many cases went with it; `nil` when there is none.
    func purge(finishedBefore before: Timestamp) async throws -> Int?
}

extension Ledger {
    /// Claims the oldest batch, however many are in work.
    public func claim(worker: String, lease: Duration) async throws -> Batch? {
        try await claim(worker: worker, lease: lease, atMost: nil)
    }

    /// Ends the delivery of a batch of which the sink has taken everything.
    public func delivered(batch: Int64, sink: String, token: Int64) async throws {
        try await delivered(batch: batch, sink: sink, token: token, refused: [])
    }

    /// Sends nothing ahead.
    public func accept(from window: any SubmissionWindow) async throws {
        while let submissions = window.next() {
            do {
                window.answer(.success(try await accept(submissions)))
            } catch {
                window.answer(.failure(error))
            }
        }
    }
}

/// The end of a batch, under its fencing token.
public struct BatchCommit: Sendable {
    public var batch: Int64
    public var token: Int64
    /// Case numbers, in any order; exactly the batch's.
    public var cases: [Int64]
    /// Stable outcome ids, one a case.
    public var outcomeIDs: [UUID]
    public var results: [CaseResult]
    public var dataAsOf: Timestamp
    /// The sinks that will deliver the batch, by stage id.
    public var sinks: [String]
    /// What the run cost.
    public var took: Duration
    public var rowsRead: Int64?
    public init(
        batch: Int64, token: Int64, cases: [Int64], outcomeIDs: [UUID], results: [CaseResult],
        dataAsOf: Timestamp, sinks: [String], took: Duration, rowsRead: Int64? = nil
    ) {
        self.batch = batch
        self.token = token
        self.cases = cases
        self.outcomeIDs = outcomeIDs
        self.results = results
        self.dataAsOf = dataAsOf
        self.sinks = sinks
        self.took = took
        self.rowsRead = rowsRead
    }
}

extension PipelineError {
    /// A row holds what no version of the ledger writes. Waited for, since whatever else the store
    /// holds is in order and may be worked on: somebody has to mend the row.
    ///
    /// - Parameters:
    ///   - item: the case, as far as it can be told.
    ///   - problem: a sentence without a full stop.
    public static func damagedRow(of item: String, _ problem: String) -> PipelineError {
        .retryable(
            .storeDamaged,
            "the ledger's row of the case \(item) is not as Penstock writes it: \(problem). "
                + "Who else writes to that store? Mend the row, or restore it from a backup")
    }
}

/// What a replay of a batch has opened again, and what not.
public struct BatchReplay: Sendable, Hashable {
    /// The batch that they are in now; `nil` when it is none.
    public var batch: Int64?
    /// Cases that were opened again.
    public var replayed: Int
    /// Cases that had been opened again before, and have no outcome of that attempt yet.
    public var inWork: Int
    /// Cases that have an outcome of a later attempt.
    public var answeredSince: Int
    /// Cases that were cancelled, or have expired: there is nothing to be repeated.
    public var ended: Int
    public init(
        batch: Int64? = nil, replayed: Int = 0, inWork: Int = 0, answeredSince: Int = 0,
        ended: Int = 0
    ) {
        self.batch = batch
        self.replayed = replayed
        self.inWork = inWork
        self.answeredSince = answeredSince
        self.ended = ended
    }

    /// The reason of batches that a replay has made, as ``Batch/closedBy``.
    public static let closedBy = "replay"
}

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
