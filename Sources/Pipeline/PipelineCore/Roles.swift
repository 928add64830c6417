/// Reads one input of an `ingest` stage.
public protocol Source: Sendable {
    /// Sends chunks until the input ends or the task is cancelled; then returns.
    func run(into outlet: Outlet) async throws
    /// Called after everything sent has settled: commits, leaves groups, closes files.
    func close() async
    /// Hears what keeps the pipeline from taking in what was sent; `nil` when nothing does any
    /// more.
    func blocked(by error: PipelineError?)
    /// The stored positions may be others than those that it reads from: what it has not sent yet
    /// is read from there.
    func positionsMayHaveMoved()
}

extension Source {
    /// Most sources simply wait.
    public func blocked(by error: PipelineError?) {}
    /// Most sources find out by the next chunk that they send.
    public func positionsMayHaveMoved() {}
}

/// Where a stage hands on chunks. Sending suspends while the next stage is busy, so that a slow
/// stage slows the source.
public struct Outlet: Sendable {
    private let body: @Sendable (Chunk) async throws -> Void
    public init(_ body: @escaping @Sendable (Chunk) async throws -> Void) { self.body = body }
    public func send(_ chunk: Chunk) async throws { try await body(chunk) }
}

/// Changes chunks on their way: `dedupe`, a filter, a map.
public protocol Transform: Sendable {
    /// Hands back the chunk, with fewer or changed records. Refused ones go through
    /// `chunk.acknowledgement.reject`.
    func process(_ chunk: Chunk) async throws -> Chunk
    /// Works beside the chunks, until the task is cancelled or there is nothing to do.
    func run() async throws
}

extension Transform {
    public func run() async throws {}
}

/// Regroups chunks in memory, by a rule of its own; they settle when what comes out of them has.
public protocol Buffer: Sendable {
    /// Runs until `receive` answers `nil` and what was held has been sent on.
    func run(
        receiving receive: @escaping @Sendable () async throws -> Chunk?, into outlet: Outlet
    ) async throws
}

/// Owns state and time: cuts the chain into a head that it settles and a tail that it feeds. It is
/// a ledger, and how the runtime drives it.
public struct Barrier: Sendable {
    public var ledger: any Ledger
    /// What the ledger's rule says of an open batch; pure. So the runtime knows when looking again
    /// is worth a statement.
    public var decide: @Sendable (_ open: OpenBatch, _ now: Timestamp) -> SealingDecision
    /// Whether the rule has the `manual` trigger.
    public var isManual: Bool
    /// How many cases are sealed for their number alone; `nil` where no number decides.
    public var fullBatch: Int?
    /// The deadline of cases that name none: so long after their acceptance.
    public var sla: Duration
    /// How long a claimed batch is left to its worker without a sign of life.
    public var lease: Duration
    /// How often to look for what other processes have done.
    public var poll: Duration
    /// How long batches are kept after their end; `nil`: for ever.
    public var retention: Duration?

    public init(
        ledger: any Ledger, sla: Duration, lease: Duration, poll: Duration,
        retention: Duration? = nil, isManual: Bool = false, fullBatch: Int? = nil,
        decide: @escaping @Sendable (_ open: OpenBatch, _ now: Timestamp) -> SealingDecision
    ) {
        self.ledger = ledger
        self.decide = decide
        self.isManual = isManual
        self.fullBatch = fullBatch
        self.sla = sla
        self.lease = lease
        self.poll = poll
        self.retention = retention
    }

    /// Asks for the `manual` trigger.
    /// - Throws: ``PipelineError`` `no-manual-trigger`, fatal, when the rule has none.
    public func flush(_ stage: String) async throws {
        guard isManual else {
            throw PipelineError.fatal(
                .noManualTrigger,
                "the trigger of \(stage) has no { \"manual\": true }: a flush would do nothing")
        }
        try await ledger.requestFlush()
    }
}

/// Answers the cases of a batch.
public protocol Generator: Sendable {
    /// One result for each case, in order. Only what it throws or answers here fails cases.
    func generate(_ batch: Batch) async throws -> GeneratedBatch
    /// Asks whether batches can be answered now.
    ///
    /// - Throws: ``PipelineError`` with the reason why not.
    func probe() async throws
    /// What it needs and tells of by itself when it is away.
    var backends: [Backend] { get }
    /// No run takes longer: a pipeline whose generator is minutes over it is stuck.
    var longestRun: Duration { get }
    /// How many batches are in work at a time at most, over all processes; `nil`: as many as there
    /// are workers.
    var maxRunning: Int? { get }
}

extension Generator {
    /// Whatever has no limit of its own is given a day.
    public var longestRun: Duration { .hours(24) }

    public var maxRunning: Int? { nil }

    /// One in this process needs what its store tells.
    public func probe() async throws {}

    public var backends: [Backend] { [] }
}

/// Delivers records to the outside.
public protocol RecordSink: Sendable {
    /// Non-nil for a sink that writes rows and positions in one transaction; it settles its chain.
    var positions: (any PositionStore)? { get }
    /// Delivers a chunk, also one that has lost its records. Refused ones go through
    /// `chunk.acknowledgement.reject`.
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
    /// - Throws: ``PipelineError``, `permanent` when the sink takes nothing at all as it is: the
    ///   batch is tried again all the same, at growing intervals.
    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal]
    /// No delivery of so many outcomes takes longer: a pipeline that is minutes over it is stuck.
    func longestDelivery(of count: Int) -> Duration
    func close() async
}

extension OutcomeSink {
    /// Most sinks hand on a batch as one.
    public func longestDelivery(of count: Int) -> Duration { .zero }
    public var outcomeCache: (any OutcomeCache)? { nil }
    public func close() async {}
}

/// Reads payloads into canonical requests or events, a chunk at a time.
public protocol RecordDecoder: Sendable {
    /// The codes that it refuses records with.
    var rejectionCodes: [ErrorCode] { get }
    /// Fills in `body`, `id`, `digest` and `deadline` of each record.
    /// - Returns: the records that can't be read, with the reason; they are taken out of `records`.
    func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection]
}

extension RecordDecoder {
    public var rejectionCodes: [ErrorCode] { [] }
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
    /// The case's last outcome: nothing but a replay changes it, which has the next revision.
    case lasting(revision: Int)
    /// An answer of the case that a repeat of the request may have overtaken.
    case passing
    /// Anything else: another case's answer, or no answer at all.
    case foreign
}
