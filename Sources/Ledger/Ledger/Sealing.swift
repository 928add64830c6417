public import Batching
public import PipelineCore

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

/// Figures for operators.
public struct LedgerSummary: Sendable, Hashable {
    /// Waiting cases, counted up to 10,000.
    public var pending: Int
    public var openBatches: Int
    public var committedBatches: Int
    public var undelivered: Int
    /// Cases and seconds of all generation runs so far.
    public var generatedCases: Int64
    public var generationSeconds: Double
    public init(
        pending: Int, openBatches: Int, committedBatches: Int, undelivered: Int,
        generatedCases: Int64, generationSeconds: Double
    ) {
        self.pending = pending
        self.openBatches = openBatches
        self.committedBatches = committedBatches
        self.undelivered = undelivered
        self.generatedCases = generatedCases
        self.generationSeconds = generationSeconds
    }
}
