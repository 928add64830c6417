/// A resource that is a front door: it takes requests from callers, hands them to a pipeline, and answers reads.
public protocol RequestService: Resource {
    /// Connects the service with the pipeline it feeds. Called once, before ``run()``.
    func attach(_ port: any RequestPort, reads: ReadPath) throws
    /// Starts listening and serves until the task is cancelled; then no further call is let in.
    ///
    /// - Parameter grace: how long calls in flight may take after that; then they are ended.
    func run(grace: Duration) async throws
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
    /// When the open batch will be sealed at the latest, as far as the rule tells; the basis of `poll_after`.
    func expectedSealing() async throws -> Timestamp?
    /// Rings when outcomes have been committed by this process.
    var outcomesCommitted: Doorbell { get }
}

/// Reads outcomes as a `cache` stage lays them out.
public protocol OutcomeCache: Sendable {
    /// The encoded outcome of each id, in order; `nil` for a miss. Errors count as misses.
    func lookup(_ ids: [UUID]) async -> [Bytes?]
    /// Puts back what the ledger answered, so that the next reader hits.
    func store(_ outcomes: [Outcome]) async
}
