public import Batching
public import PipelineCore

/// The durable record of one `accumulate` stage: accepted cases, the open batch, sealed batches, outcomes, and the
/// positions of the inputs that feed it.
///
/// Every method is one transaction. Times are the store's clock. Errors are ``PipelineError``s: `retryable` while
/// the store can't be reached (the effect is unknown: look before repeating), `fenced` when another process has
/// taken over a position (`position-moved`), a batch (`lease-lost`) or the rule (`rule-outdated`).
public protocol Ledger: CaseReader, PositionStore, ParkedOutcomes {
    /// Creates the stage's row, or takes note of its rule: the higher revision wins. A rule without a revision takes
    /// the stored one if its text is the same, else the next.
    ///
    /// - Returns: stages of the store with open work that are not among the stage's owners, but may be another
    ///   process's: if they are not, nobody works on them.
    /// - Throws: `fatal` `rule-conflict` when the stored rule has the same revision and another text, `state-unowned`
    ///   when the stage's owners leave something behind, see ``StateOwnership``.
    @discardableResult
    func register() async throws -> [StageState]

    /// Inserts a chunk's cases and advances its positions, both or neither.
    ///
    /// A repeat of a live or succeeded case resolves to it, a repeat of a failed one opens it again as a new
    /// attempt. Cases that are known with another digest are conflicts: if there are any, nothing is written at all.
    func accept(_ submissions: Submissions) async throws -> Acceptance
    /// Accepts a row of chunks, each as ``accept(_:)`` does, and may send one ahead while the store works on the one
    /// before.
    ///
    /// The row ends when there is no next chunk, when one was not accepted, or for reasons of the ledger's own (others
    /// wait for its connection). One that was sent behind a chunk that was not accepted may have been accepted all
    /// the same, if they have no input in common.
    ///
    /// - Parameters:
    ///   - next: takes a chunk, if there is one. It and `answered` may run on a thread of the ledger's: they must not
    ///     block.
    ///   - answered: is called in order for the chunks that were taken, with `nil` for one that was not accepted.
    /// - Throws: what the first chunk that was not accepted met; nothing when that was a conflict, which ``accept(_:)``
    ///   tells of when the chunk is handed in by itself. When the store can't be reached, the last ones that were
    ///   taken have no answer, and their fate is unknown.
    func accept(
        rowFrom next: @escaping @Sendable () -> Submissions?,
        answered: @escaping @Sendable (AcceptedCounts?) -> Void
    ) async throws

    /// Locks the rule, evaluates it, and seals what it says, in one transaction.
    func seal() async throws -> SealingResult
    /// Asks for the `manual` trigger.
    func requestFlush() async throws

    /// Claims the oldest batch that is sealed, not committed, and under no living lease; `nil` if there is none.
    func claim(worker: String, lease: Duration) async throws -> Batch?
    func extend(batch: Int64, token: Int64, lease: Duration) async throws
    /// Writes the outcomes, the batch's end and a delivery for each sink in one transaction under the token.
    ///
    /// The same commit repeated (a lost answer) succeeds again and changes nothing.
    /// - Returns: when the batch was committed, on the store's clock; the first time, for a repeat.
    @discardableResult
    func commit(_ commit: BatchCommit) async throws -> Timestamp
    /// Ends the lease: the batch can be claimed again after `delay`.
    func release(batch: Int64, token: Int64, after delay: Duration, reason: String) async throws
    /// Ends the lease as if the batch had not been claimed: it can be claimed again at once, and the claim was no
    /// attempt. The token is spent.
    func handBack(batch: Int64, token: Int64) async throws
    /// Replaces the batch by two sealed ones with the two halves of its cases.
    func bisect(batch: Int64, token: Int64) async throws

    /// Claims the oldest committed batch that the sink has not delivered; `nil` if there is none. Of one that was
    /// delivered before, it brings the parked outcomes that are due again.
    func claimDelivery(sink: String, worker: String, lease: Duration) async throws -> OutcomeBatch?
    func extendDelivery(batch: Int64, sink: String, token: Int64, lease: Duration) async throws
    /// Ends the delivery, parking what the sink refuses for good, in one transaction. The same end said again (a lost
    /// answer) changes nothing.
    func delivered(batch: Int64, sink: String, token: Int64, refused: [OutcomeRefusal])
        async throws
    func releaseDelivery(batch: Int64, sink: String, token: Int64, after delay: Duration)
        async throws
    /// Ends the lease as if the delivery had not been claimed, as ``handBack(batch:token:)`` does for a batch.
    func handBackDelivery(batch: Int64, sink: String, token: Int64) async throws

    /// Ends pending cases with an outcome of that state (`cancelled` or `expired`); others stay. Answers how many.
    func end(_ ids: [UUID], as state: CaseState, reason: String) async throws -> Int
    /// Deletes one finished batch, all its sinks delivered and nothing of it parked, that ended before `before`.
    /// Answers how many cases went with it; `nil` when there is none.
    func purge(finishedBefore before: Timestamp) async throws -> Int?
    /// Figures for operators.
    func summary() async throws -> LedgerSummary
}

extension Ledger {
    /// Ends the delivery of a batch of which the sink has taken everything.
    public func delivered(batch: Int64, sink: String, token: Int64) async throws {
        try await delivered(batch: batch, sink: sink, token: token, refused: [])
    }

    /// Sends nothing ahead.
    public func accept(
        rowFrom next: @escaping @Sendable () -> Submissions?,
        answered: @escaping @Sendable (AcceptedCounts?) -> Void
    ) async throws {
        while let submissions = next() {
            guard case .accepted(let counts) = try await accept(submissions) else {
                return answered(nil)
            }
            answered(counts)
        }
    }
}

/// Which stage a ledger serves, and under which rule.
public struct LedgerStage: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    public var rule: BatchingRule
    /// The rule as text, stored beside its revision.
    public var ruleText: String
    /// Grows with every change of the rule; a process with an older one does not seal. `nil`: one more than what is
    /// stored if the stored text is another one, else the stored.
    public var revision: Int64?
    /// For cases that name no deadline: this long after acceptance.
    public var sla: Duration
    /// The stages of the files at hand, this one among them; empty where that plays no part.
    public var owners: [StateOwner]
    public init(
        pipeline: String, stage: String, rule: BatchingRule, ruleText: String, revision: Int64?,
        sla: Duration, owners: [StateOwner] = []
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.rule = rule
        self.ruleText = ruleText
        self.revision = revision
        self.sla = sla
        self.owners = owners
    }
}

/// A store that can keep ledgers.
public protocol LedgerProvider: DeadLetterProvider {
    /// The ledger of a stage. Opens nothing: the first call does.
    func ledger(for stage: LedgerStage) throws -> any Ledger
    /// Creates or updates the ledger's tables. Safe to run again, and by two processes at once.
    func migrateLedger() async throws
    /// Creates the stage's row if there is none. The rule of one that is there stays as it is.
    /// - Throws: `fatal` `state-unowned` as ``Ledger/register()``.
    func enter(_ stage: LedgerNeed) async throws
}

extension LedgerProvider {
    /// Leaves it to ``Ledger/register()``.
    public func enter(_ stage: LedgerNeed) async throws {}
}

extension PipelineError {
    /// A row holds what no version of the ledger writes. Waited for, since whatever else the store holds is in order and
    /// may be worked on: somebody has to mend the row.
    ///
    /// - Parameters:
    ///   - item: the case, as far as it can be told.
    ///   - problem: a sentence without a full stop.
    public static func damagedRow(of item: String, _ problem: String) -> PipelineError {
        .retryable(
            "store-damaged",
            "the ledger's row of the case \(item) is not as Penstock writes it: \(problem). "
                + "Who else writes to that store? Mend the row, or restore it from a backup")
    }
}
