public import Concurrency

/// A resource that takes requests from callers, hands them to a pipeline, and answers reads.
public protocol RequestService: Resource {
    /// Connects the service with the pipeline it feeds. Called once, before ``run()``.
    func attach(_ port: any RequestPort, reads: ReadPath) throws
    /// Starts listening and serves until the task is cancelled; then no further call is let in.
    ///
    /// - Parameter grace: how long calls in flight may take after that; then they are ended.
    func run(grace: Duration) async throws
    /// Has the address kept when the service ends, and the connections, for one that takes over:
    /// callers wait for that one, and are not turned away.
    ///
    /// - Parameters:
    ///   - drain: how long calls in flight may take then, in place of the grace.
    ///   - isWanted: asked at the end.
    func keepAddress(drain: Duration, if isWanted: @escaping @Sendable () -> Bool)
    /// Goes on with the address that another service has kept, if it is the same. Called before
    /// ``run(grace:)``.
    func takeOver(from former: any RequestService)
    /// Says whether what the service needs is there, for those who ask it.
    func setReady(_ isReady: Bool)
    /// Why new callers can't come in, or not all; `nil` while all is well.
    var problem: String? { get }
}

extension RequestService {
    public func setReady(_ isReady: Bool) {}
    public func keepAddress(drain: Duration, if isWanted: @escaping @Sendable () -> Bool) {}
    public func takeOver(from former: any RequestService) {}
    public var problem: String? { nil }
}

/// Where callers' requests enter a pipeline.
public protocol RequestPort: Sendable {
    /// Hands one request to the pipeline and waits until it is settled.
    ///
    /// - Throws: ``PipelineError`` when nothing is promised (`retryable`: try again).
    func submit(_ record: Record) async throws -> SubmissionResult
    /// Sees to it that no caller waits too long, until the task is cancelled.
    func run() async throws
}

extension RequestPort {
    /// Callers wait for as long as it takes.
    public func run() async throws {}
}

/// How a submitted request settled.
public enum SubmissionResult: Sendable {
    /// Durable: it will have an outcome. Also for a repeat of a known request.
    case accepted
    /// Refused for good.
    case rejected(Rejection)
}

/// Where reads of cases are answered: the ledger of the chain's barrier and the layout of its
/// cache.
public struct ReadPath: Sendable {
    public var cases: (any CaseReader)?
    public var cache: (any OutcomeCache)?
    /// Where cases are ended and generated anew, as their requesters want.
    public var changes: (any CaseChanges)?
    /// How long answered cases are kept; `nil` for ever.
    public var retention: Duration?
    public init(
        cases: (any CaseReader)?, cache: (any OutcomeCache)?,
        changes: (any CaseChanges)? = nil, retention: Duration? = nil
    ) {
        self.cases = cases
        self.cache = cache
        self.changes = changes
        self.retention = retention
    }
}

/// Reads cases from a ledger.
public protocol CaseReader: Sendable {
    /// One statement for all; unknown ids are missing from the answer.
    func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot]
    /// Those of the cases that a repeat of their request opens, again or, since they are unknown,
    /// for the first time. One statement for all.
    func reopenable(of ids: [UUID]) async throws -> Set<UUID>
    /// Those of the cases that have an outcome; one statement for all.
    func finished(of ids: [UUID]) async throws -> Set<UUID>
    /// The newest attempts at cases, in order of acceptance.
    func list(_ listing: CaseListing) async throws -> [ListedCase]
    /// When the open batch will be sealed at the latest, as far as the rule tells; the basis of
    /// `poll_after`.
    func expectedSealing() async throws -> ExpectedSealing
    /// Sent when outcomes have been committed by this process.
    var outcomesCommitted: Signal { get }
}

/// Ends cases that nobody wants any more, and has those that have ended generated anew.
public protocol CaseChanges: Sendable {
    /// As ``Ledger/end(_:as:reason:sinks:)``, for the sinks of the pipeline.
    func end(_ ids: [UUID], as state: CaseState, reason: String) async throws -> Int
    /// As ``Ledger/refresh(_:)``.
    func refresh(_ ids: [UUID]) async throws -> Int
}

/// In a ledger, whose outcomes these sinks deliver.
public struct LedgerChanges: CaseChanges {
    private let ledger: any Ledger
    private let sinks: [String]

    /// - Parameter sinks: by stage id.
    public init(_ ledger: any Ledger, sinks: [String]) {
        self.ledger = ledger
        self.sinks = sinks
    }

    public func end(_ ids: [UUID], as state: CaseState, reason: String) async throws -> Int {
        try await ledger.end(ids, as: state, reason: reason, sinks: sinks)
    }

    public func refresh(_ ids: [UUID]) async throws -> Int { try await ledger.refresh(ids) }
}

extension CaseReader {
    public func reopenable(of ids: [UUID]) async throws -> Set<UUID> {
        let asked = Set(ids)
        let live = try await snapshots(of: Array(asked)).values.filter {
            !$0.state.isFinal || $0.state.isLasting
        }
        return asked.subtracting(live.map(\.id))
    }
}

/// When the open batch will be sealed, on the store's clock.
public struct ExpectedSealing: Sendable, Hashable {
    /// If nothing more arrives; `nil`: nobody knows.
    public var at: Timestamp?
    /// The trigger that seals it then.
    public var closedBy: String?
    /// Cases in the open batch, counted up to what makes a difference to the rule.
    public var waiting: Int
    /// So many are sealed for their number alone; `nil` where no number is.
    public var fullAt: Int?
    /// The store's clock at the look. A process's own may be an hour off.
    public var clock: Timestamp
    public init(
        at: Timestamp?, closedBy: String? = nil, waiting: Int = 0, fullAt: Int? = nil,
        clock: Timestamp
    ) {
        self.at = at
        self.closedBy = closedBy
        self.waiting = waiting
        self.fullAt = fullAt
        self.clock = clock
    }
}

extension CaseReader {
    /// By the snapshots.
    public func finished(of ids: [UUID]) async throws -> Set<UUID> {
        Set(try await snapshots(of: ids).lazy.filter { $0.value.outcome != nil }.map(\.key))
    }
}

/// Reads outcomes as a `cache` stage lays them out: only those that last, so that none is older
/// than what somebody was told of.
public protocol OutcomeCache: Sendable {
    /// The encoded outcome of each id, in order; `nil` for a miss. Errors count as misses, and so
    /// does whatever is not the answer of that very case.
    func lookup(_ ids: [UUID]) async -> [Bytes?]
    /// Puts back what the ledger answered, so that the next reader hits.
    func store(_ outcomes: [Outcome]) async
}
