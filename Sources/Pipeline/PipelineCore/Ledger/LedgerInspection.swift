/// What operators see of a ledger: every question is a short read beside those who work on it, and
/// takes no lock that they wait for.
public protocol LedgerInspection: Sendable {
    /// What waits now: cases, batches, deliveries.
    func overview() async throws -> LedgerOverview
    /// Batches of the stage, newest first.
    func batches(_ selection: BatchSelection, limit: Int) async throws -> [BatchRecord]
    /// The life of a case; `nil` when the ledger does not know it (any more).
    func history(of id: UUID) async throws -> CaseHistory?
    /// Where the stage's inputs are read from next, by log.
    func logPositions() async throws -> [LogPositions]
}

/// A change that an operator has made, as the ledger keeps it.
public struct LedgerChange: Sendable, Hashable {
    /// Rises with each change of a store; not without gaps.
    public var number: Int64
    public var at: Timestamp
    /// Who: `user@host`, or what a caller of the admin service is known as.
    public var actor: String
    /// What: `paused delivery to ready: the bus is being moved`.
    public var action: String
    public init(number: Int64, at: Timestamp, actor: String, action: String) {
        self.number = number
        self.at = at
        self.actor = actor
        self.action = action
    }

    /// How the action begins that has set positions: whoever reads goes by it.
    public static let positionsOf = "positions of "
    public var setsPositions: Bool { action.hasPrefix(Self.positionsOf) }
}

/// The positions of a log that a ledger keeps.
public struct LogPositions: Sendable, Hashable {
    /// What the log is called: `kafka:<cluster id>/<topic>`, `file:<path>`.
    public var log: String
    /// What advances have to name it by.
    public var source: String
    /// For each partition the offset to read next.
    public var next: [Int32: Int64]
    public init(log: String, source: String, next: [Int32: Int64]) {
        self.log = log
        self.source = source
        self.next = next
    }
}

extension [LogPositions] {
    /// Adds a row of a table that is sorted by log and source.
    public mutating func add(_ log: String, _ source: String, _ partition: Int32, _ next: Int64) {
        if last?.log != log || last?.source != source {
            append(LogPositions(log: log, source: source, next: [:]))
        }
        self[endIndex - 1].next[partition] = next
    }
}

extension LedgerInspection {
    /// Nothing waits, nothing is being generated, nothing is still to be delivered.
    public func isIdle() async throws -> Bool {
        let overview = try await overview()
        return overview.open.count == 0 && overview.openBatches == 0 && overview.undelivered.isEmpty
    }
}

/// What waits in a stage's ledger, at one time on the store's clock.
public struct LedgerOverview: Sendable, Hashable {
    /// Waiting cases are counted so far.
    public static let countBound = 100_000

    public var clock: Timestamp
    /// Waiting cases, counted up to ``countBound``.
    public var open: OpenBatch
    /// The revision of the rule in force.
    public var revision: Int64
    /// The reason of a firing that is not sealed to its end yet.
    public var draining: String?
    /// Batches that nobody holds, those that are put off after a failure included.
    public var sealed: Int
    /// When the oldest of them was sealed.
    public var oldestSealed: Timestamp?
    /// Batches under a living lease.
    public var running: Int
    /// Batches that a sink has not delivered, by the sink's id; only sinks that have some.
    public var undelivered: [String: Waiting]

    /// Batches that wait for something.
    public struct Waiting: Sendable, Hashable {
        public var count: Int
        /// Since when the oldest of them waits.
        public var oldest: Timestamp
        public init(count: Int, oldest: Timestamp) {
            self.count = count
            self.oldest = oldest
        }
    }

    public init(
        clock: Timestamp, open: OpenBatch, revision: Int64, draining: String? = nil,
        sealed: Int = 0, oldestSealed: Timestamp? = nil, running: Int = 0,
        undelivered: [String: Waiting] = [:]
    ) {
        self.clock = clock
        self.open = open
        self.revision = revision
        self.draining = draining
        self.sealed = sealed
        self.oldestSealed = oldestSealed
        self.running = running
        self.undelivered = undelivered
    }

    /// Batches without outcomes.
    public var openBatches: Int { sealed + running }

    /// When the rule fires and why, if nothing more arrives; `nil` when it waits for arrivals or
    /// for an operator.
    ///
    /// - Parameter decide: the rule, see ``Barrier/decide``.
    public func nextFiring(
        _ decide: (OpenBatch, Timestamp) -> SealingDecision
    ) -> (at: Timestamp, closedBy: String)? {
        if open.count == 0 { return nil }
        if let draining { return (clock, draining) }
        switch decide(open, clock) {
        case .fire(let firing): return (clock, firing.closedBy)
        case .wait(until: nil): return nil
        case .wait(until: let instant?):
            guard case .fire(let firing) = decide(open, instant) else { return nil }
            return (instant, firing.closedBy)
        }
    }
}

/// Which batches are meant.
public struct BatchSelection: Sendable, Hashable {
    /// `nil`: any.
    public var numbers: [Int64]?
    /// Only those that have no outcomes yet, or that a sink has not delivered.
    public var isUnfinishedOnly: Bool
    public init(numbers: [Int64]? = nil, isUnfinishedOnly: Bool = false) {
        self.numbers = numbers
        self.isUnfinishedOnly = isUnfinishedOnly
    }
}

/// A batch as the ledger keeps it.
public struct BatchRecord: Sendable, Hashable {
    public enum State: String, Sendable, CaseIterable {
        /// Nobody holds it.
        case sealed
        /// Under a living lease.
        case running
        /// Its outcomes are committed, and a sink has not delivered them.
        case delivering
        case done
    }

    public var number: Int64
    public var state: State
    public var cases: Int
    public var closedBy: String
    /// The rule's, that sealed it.
    public var revision: Int64
    public var sealedAt: Timestamp
    /// When the oldest of its cases was accepted; `nil` when they are purged.
    public var oldestAccepted: Timestamp?
    public var earliestDeadline: Timestamp?
    /// Claims so far.
    public var attempts: Int
    /// Who holds it, or held it last.
    public var worker: String?
    /// While it runs: until when its worker may be silent.
    public var leaseUntil: Timestamp?
    /// While it is sealed: when it may be claimed again after a failure.
    public var notBefore: Timestamp?
    /// Why the last attempt failed.
    public var lastError: String?
    public var committedAt: Timestamp?
    /// Of the run that was committed.
    public var took: Duration?
    public var rowsRead: Int64?
    /// By the sinks' ids.
    public var deliveries: [DeliveryRecord]

    public init(
        number: Int64, state: State, cases: Int, closedBy: String, revision: Int64,
        sealedAt: Timestamp, oldestAccepted: Timestamp?, earliestDeadline: Timestamp?,
        attempts: Int, worker: String?, leaseUntil: Timestamp?, notBefore: Timestamp?,
        lastError: String?, committedAt: Timestamp?, took: Duration?, rowsRead: Int64?,
        deliveries: [DeliveryRecord] = []
    ) {
        self.number = number
        self.state = state
        self.cases = cases
        self.closedBy = closedBy
        self.revision = revision
        self.sealedAt = sealedAt
        self.oldestAccepted = oldestAccepted
        self.earliestDeadline = earliestDeadline
        self.attempts = attempts
        self.worker = worker
        self.leaseUntil = leaseUntil
        self.notBefore = notBefore
        self.lastError = lastError
        self.committedAt = committedAt
        self.took = took
        self.rowsRead = rowsRead
        self.deliveries = deliveries
    }

    /// How long its oldest case waited for its outcome.
    public var wait: Duration? {
        guard let oldestAccepted, let committedAt else { return nil }
        return oldestAccepted.duration(to: committedAt)
    }
}

/// A hand-over of a batch to a sink as the ledger keeps it.
public struct DeliveryRecord: Sendable, Hashable {
    public var sink: String
    /// `nil` while it is to be made.
    public var deliveredAt: Timestamp?
    /// Claims so far.
    public var attempts: Int
    /// Who holds it, or held it last.
    public var worker: String?
    /// Outcomes that the sink has refused for good and that wait for an operator.
    public var parked: Int
    public init(
        sink: String, deliveredAt: Timestamp?, attempts: Int, worker: String?, parked: Int
    ) {
        self.sink = sink
        self.deliveredAt = deliveredAt
        self.attempts = attempts
        self.worker = worker
        self.parked = parked
    }
}

/// The life of a case: each attempt at it, oldest first, with the batch that it was in.
public struct CaseHistory: Sendable, Hashable {
    public var id: UUID
    public var attempts: [CaseAttempt]
    /// Those of the attempts.
    public var batches: [BatchRecord]
    public init(id: UUID, attempts: [CaseAttempt], batches: [BatchRecord]) {
        self.id = id
        self.attempts = attempts
        self.batches = batches
    }

    /// The batch of an attempt; `nil` while it waits in the open batch.
    public func batch(of attempt: CaseAttempt) -> BatchRecord? {
        batches.first { $0.number == attempt.batch }
    }
}

/// A case from its acceptance to its outcome.
public struct CaseAttempt: Sendable, Hashable {
    /// From 1: a repeat of a failed case, or a replay of its batch, is its next attempt, and the
    /// revision of its outcome.
    public var revision: Int
    public var state: CaseState
    public var acceptedAt: Timestamp
    public var deadline: Timestamp
    /// `nil` while it waits in the open batch.
    public var batch: Int64?
    /// `nil` while there is no outcome.
    public var outcomeID: UUID?
    public var writtenAt: Timestamp?
    public var dataAsOf: Timestamp?
    /// Of an outcome that is no report.
    public var reason: String?
    /// The request's.
    public var trace: TraceContext?
    public init(
        revision: Int, state: CaseState, acceptedAt: Timestamp, deadline: Timestamp,
        batch: Int64?, outcomeID: UUID? = nil, writtenAt: Timestamp? = nil,
        dataAsOf: Timestamp? = nil, reason: String? = nil, trace: TraceContext? = nil
    ) {
        self.revision = revision
        self.state = state
        self.acceptedAt = acceptedAt
        self.deadline = deadline
        self.batch = batch
        self.outcomeID = outcomeID
        self.writtenAt = writtenAt
        self.dataAsOf = dataAsOf
        self.reason = reason
        self.trace = trace
    }
}

extension [CaseAttempt] {
    /// What has no outcome is as its batch is.
    public mutating func settle(by batches: [BatchRecord]) {
        for index in indices where self[index].outcomeID == nil {
            switch batches.first(where: { $0.number == self[index].batch })?.state {
            case .running?: self[index].state = .running
            case .sealed?: self[index].state = .sealed
            // Its outcome came between two reads.
            case .delivering?, .done?: self[index].state = .running
            case nil: self[index].state = .pending
            }
        }
    }
}
