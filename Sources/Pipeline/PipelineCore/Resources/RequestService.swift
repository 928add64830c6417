/// A resource that is a front door: it takes requests from callers, hands them to a pipeline, and answers reads.
public protocol RequestService: Resource {
    /// Connects the service with the pipeline it feeds. Called once, before ``run()``.
    func attach(_ port: any RequestPort, reads: ReadPath) throws
    /// Starts listening and serves until the task is cancelled, then finishes calls in flight.
    func run() async throws
}

/// Where callers' requests enter a pipeline.
public protocol RequestPort: Sendable {
    /// Hands one request to the pipeline and waits until it is settled.
    ///
    /// - Throws: ``PipelineError`` when nothing is promised (`retryable`: try again).
    func submit(_ record: Record) async throws -> SubmissionResult
}

/// How a submitted request settled.
public enum SubmissionResult: Sendable {
    /// Durable: it will have an outcome. Also for a repeat of a known request.
    case accepted
    /// Refused for good.
    case rejected(Rejection)
}

/// Where reads of cases are answered: the ledger of the chain's barrier and the layout of its cache.
public struct ReadPath: Sendable {
    public var cases: (any CaseReader)?
    public var cache: (any OutcomeCache)?
    public init(cases: (any CaseReader)?, cache: (any OutcomeCache)?) {
        self.cases = cases
        self.cache = cache
    }
}

/// Reads cases from a ledger.
public protocol CaseReader: Sendable {
    /// One statement for all; unknown ids are missing from the answer.
    func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot]
    /// Those of the cases that a repeat of their request opens again. One statement for all.
    func reopenable(of ids: [UUID]) async throws -> Set<UUID>
    /// When the open batch will be sealed at the latest, as far as the rule tells; the basis of `poll_after`.
    func expectedSealing() async throws -> ExpectedSealing
    /// Rings when outcomes have been committed by this process.
    var outcomesCommitted: Doorbell { get }
}

extension CaseReader {
    public func reopenable(of ids: [UUID]) async throws -> Set<UUID> {
        try await Set(
            snapshots(of: Array(Set(ids))).values.filter { $0.state.isFinal && !$0.state.isLasting }
                .map(\.id))
    }
}

/// When the open batch will be sealed, on the store's clock.
public struct ExpectedSealing: Sendable, Hashable {
    /// `nil`: nobody knows.
    public var at: Timestamp?
    /// The store's clock at the look. A process's own may be an hour off.
    public var clock: Timestamp
    public init(at: Timestamp?, clock: Timestamp) {
        self.at = at
        self.clock = clock
    }
}

/// Reads outcomes as a `cache` stage lays them out: only those that last, so that none is older than what somebody
/// was told of.
public protocol OutcomeCache: Sendable {
    /// The encoded outcome of each id, in order; `nil` for a miss. Errors count as misses, and so does whatever is
    /// not the answer of that very case.
    func lookup(_ ids: [UUID]) async -> [Bytes?]
    /// Puts back what the ledger answered, so that the next reader hits.
    func store(_ outcomes: [Outcome]) async
}
