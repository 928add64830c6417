/// Reads one input of an `ingest` stage.
public protocol Source: Sendable {
    /// Sends chunks until the input ends or the task is cancelled; then returns.
    func run(into outlet: Outlet) async throws
    /// Called after everything sent has settled: commits, leaves groups, closes files.
    func close() async
    /// Hears what keeps the pipeline from taking in what was sent; `nil` when nothing does any more.
    func hindered(by error: PipelineError?)
}

extension Source {
    /// Most sources simply wait.
    public func hindered(by error: PipelineError?) {}
}

/// Where a stage hands on chunks. Sending suspends while the next stage is busy, so that a slow stage slows the source.
public struct Outlet: Sendable {
    private let body: @Sendable (Chunk) async throws -> Void
    public init(_ body: @escaping @Sendable (Chunk) async throws -> Void) { self.body = body }
    public func send(_ chunk: Chunk) async throws { try await body(chunk) }
}

/// Changes chunks on their way: `dedupe`, a filter, a map.
public protocol Transform: Sendable {
    /// Hands back the chunk, with fewer or changed records. Refused ones go through `chunk.delivery.reject`.
    func process(_ chunk: Chunk) async throws -> Chunk
    /// Works beside the chunks, until the task is cancelled or there is nothing to do.
    func run() async throws
}

extension Transform {
    public func run() async throws {}
}

/// Regroups chunks in memory, by a rule of its own; their deliveries stay open until what comes out has settled.
public protocol Buffer: Sendable {
    /// Runs until `receive` answers `nil` and what was held has been sent on.
    func run(
        receiving receive: @escaping @Sendable () async throws -> Chunk?, into outlet: Outlet
    ) async throws
}

/// Owns state and time: cuts the chain into a head that it settles and a tail that it feeds.
public protocol Barrier: Sendable {
    /// Where the head's positions are kept; `nil` when they stay with the source.
    var positions: (any PositionStore)? { get }
    /// Answers reads of its cases; `nil` without a durable ledger.
    var reader: (any CaseReader)? { get }

    /// Called once before everything else; may be called again after it threw.
    func prepare() async throws
    /// Takes in a chunk and settles it when it is safe. Called for one chunk after the other.
    func accept(_ chunk: Chunk) async throws
    /// Takes in a row of chunks, the fast way while all is well: may send one ahead while the store works on the one
    /// before. Settles, in order, those that are safe.
    ///
    /// What was taken and has not settled is to be handed to ``accept(_:)``, one after the other.
    /// - Parameter next: takes the next chunk, if one lies ready. Does not block, and may be called on any thread.
    /// - Throws: what the first chunk that did not settle met, if that is known.
    func accept(rowFrom next: @escaping @Sendable () -> Chunk?) async throws
    /// The outcomes that sinks have refused for good; `nil` without a durable ledger.
    var parked: (any ParkedOutcomes)? { get }
    /// Evaluates the trigger and seals batches until cancelled.
    func runSealing() async throws
    /// Does, in small steps beside everything else, what need not be done now: deletes what is old. Until cancelled.
    func runUpkeep() async throws
    /// Claims the next sealed batch, waiting for one.
    func nextBatch(worker: String) async throws -> any ClaimedBatch
    /// Claims the next committed batch that `sink` has not delivered, waiting for one.
    func nextDelivery(to sink: String, worker: String) async throws -> any ClaimedDelivery
    /// Fires the `manual` trigger.
    func flush() async throws
    /// Nothing waits, nothing is being generated, nothing is still to be delivered.
    func isIdle() async throws -> Bool
}

extension Barrier {
    public var parked: (any ParkedOutcomes)? { nil }
    /// Has nothing to keep up.
    public func runUpkeep() async throws {}
    /// Knows no faster way.
    public func accept(rowFrom next: @escaping @Sendable () -> Chunk?) async throws { _ = next() }
}

/// A batch under a lease.
public protocol ClaimedBatch: Sendable {
    var batch: Batch { get }
    /// How long the lease holds from the last extension; extend well before.
    var lease: Duration { get }
    func extend() async throws
    /// Writes the outcomes and the cases' final states in one transaction under the fencing token.
    /// - Throws: ``PipelineError`` `fenced` when the lease was lost: somebody else's outcomes stand.
    /// - Returns: when that was, on the store's clock: what is late is late by it.
    func commit(
        _ generated: GeneratedBatch, took: Duration, sinks: [String]
    ) async throws -> Timestamp
    /// Gives the batch back: it can be claimed again after `delay`.
    func release(after delay: Duration, reason: String) async throws
    /// Gives back a batch that this process has no time for: it can be claimed again at once, and it was no attempt.
    func handBack() async throws
    /// Splits a batch that keeps failing into two; each is claimed on its own.
    func bisect() async throws
}

/// A committed batch under a lease of one sink.
public protocol ClaimedDelivery: Sendable {
    var batch: OutcomeBatch { get }
    var lease: Duration { get }
    func extend() async throws
    /// Marks the batch as delivered to the sink, and parks what the sink refuses for good.
    func delivered(refused: [OutcomeRefusal]) async throws
    /// Gives it back for another try after `delay`.
    func release(after delay: Duration) async throws
    /// Gives it back because this process has no time for it: it can be claimed again at once, and it was no attempt.
    func handBack() async throws
}

/// Answers the cases of a batch.
public protocol Generator: Sendable {
    /// One result for each case, in order. Only what it throws or answers here fails cases.
    func generate(_ batch: Batch) async throws -> GeneratedBatch
    /// Asks whether batches can be answered now.
    ///
    /// - Throws: ``PipelineError`` with the reason why not.
    func probe() async throws
}

extension Generator {
    /// One in this process needs what its store tells.
    public func probe() async throws {}
}

/// Delivers records to the outside.
public protocol RecordSink: Sendable {
    /// Non-nil for a sink that writes rows and positions in one transaction; it settles its chain.
    var positions: (any PositionStore)? { get }
    /// Delivers a chunk, also one that has lost its records. Refused ones go through `chunk.delivery.reject`.
    ///
    /// - Throws: ``PipelineError``; after a retryable one the same chunk is delivered again.
    func deliver(_ chunk: Chunk) async throws
    func close() async
}

extension RecordSink {
    public var positions: (any PositionStore)? { nil }
    public func close() async {}
}

/// Delivers outcomes to the outside.
public protocol OutcomeSink: Sendable {
    /// Non-nil for a sink that lays out outcomes for readers.
    var outcomeCache: (any OutcomeCache)? { get }
    /// Delivers committed outcomes; a repeat carries the same ids and the same bytes.
    ///
    /// - Returns: what is refused for good; everything else has been delivered.
    /// - Throws: ``PipelineError``, `permanent` when the sink takes nothing at all as it is: the batch is tried again
    ///   all the same, at growing intervals.
    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal]
    func close() async
}

extension OutcomeSink {
    public var outcomeCache: (any OutcomeCache)? { nil }
    public func close() async {}
}

/// Reads payloads into canonical requests or events, a chunk at a time.
public protocol RecordDecoder: Sendable {
    /// The codes that it refuses records with.
    var rejectionCodes: [String] { get }
    /// Fills in `body`, `id`, `digest` and `deadline` of each record.
    /// - Returns: the records that can't be read, with the reason; they are taken out of `records`.
    func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection]
}

extension RecordDecoder {
    public var rejectionCodes: [String] { [] }
}

/// Renders outcomes for the outside: announcements, cached answers.
public protocol OutcomeEncoder: Sendable {
    /// The announcement of an outcome: same outcome, same bytes.
    func announcement(_ outcome: Outcome) throws -> OutgoingRecord
    /// What a cache keeps for readers.
    func cached(_ outcome: Outcome) throws -> Bytes
    /// What bytes are that lie where ``cached(_:)``'s belong: anybody may have written there.
    func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer
}

/// What was found in a cache under the key of a case.
public enum CachedAnswer: Sendable, Hashable {
    /// The case's last outcome: it never changes.
    case lasting
    /// An answer of the case that a repeat of the request may have overtaken.
    case passing
    /// Anything else: another case's answer, or no answer at all.
    case foreign
}
