internal import Batching
public import Ledger
public import PipelineCore
internal import Synchronization

/// A ledger that answers what a test says: for stages that need one, not for what a ledger promises.
public final class FakeLedger: Ledger {
    /// The ids of each chunk that was asked to be accepted, conflicts included.
    public let submissions = Journal<[UUID]>()
    /// The ids of each chunk that was accepted.
    public let accepted = Journal<[UUID]>()
    /// `accept` fails with these first.
    public let failures = Failures()
    /// How often the rule was evaluated.
    public let seals = Journal<Void>()
    public let purges = Journal<Timestamp>()
    /// What deliveries were claimed or extended for.
    public let deliveryLeases = Journal<Duration>()
    public let cases = FakeCases()
    /// The ids of each chunk in a row, when it was taken.
    public let taken = Journal<[UUID]>()
    /// Chunks in a row wait here for their answers.
    public let gate = Latch()
    /// A purge waits here.
    public let purgeGate = Latch()
    private let finished: Int
    private let conflicts: Set<UUID>
    private let refused: Set<UUID>
    private let stored: InMemoryPositions?
    private let ahead: Int
    private let sealing: @Sendable (Int) -> SealingResult
    public let flushes = Journal<Void>()
    private let deliveries = Mutex<[OutcomeBatch]>([])

    /// - Parameters:
    ///   - conflicts: ids that are known with other parameters.
    ///   - refused: ids that the store can't keep.
    ///   - stored: where chunks have to go on from; anywhere without it.
    ///   - ahead: how many chunks of a row are taken before the first is answered.
    ///   - isOpen: whether the gates are.
    ///   - finished: how many batches there are to purge.
    ///   - sealing: what the evaluation of that number (from 1) finds.
    public init(
        conflicts: Set<UUID> = [], refused: Set<UUID> = [], stored: InMemoryPositions? = nil,
        ahead: Int = 1, isOpen: Bool = true, finished: Int = 0,
        sealing: @escaping @Sendable (Int) -> SealingResult
    ) {
        self.conflicts = conflicts
        self.refused = refused
        self.stored = stored
        self.ahead = ahead
        if isOpen {
            gate.open()
            purgeGate.open()
        }
        self.finished = finished
        self.sealing = sealing
    }

    public func accept(_ submissions: Submissions) async throws -> Acceptance {
        try failures.throwNext()
        self.submissions.note(submissions.ids)
        if !refused.isDisjoint(with: submissions.ids) {
            throw PipelineError.permanent("store-data", "there is no such character")
        }
        let known = submissions.ids.indices.filter { conflicts.contains(submissions.ids[$0]) }
        if !known.isEmpty { return .conflicts(known) }
        try stored?.advance(submissions.advances)
        accepted.note(submissions.ids)
        return .accepted(AcceptedCounts(new: submissions.count, reopened: 0, repeated: 0))
    }

    public func accept(
        rowFrom next: @escaping @Sendable () -> Submissions?,
        answered: @escaping @Sendable (AcceptedCounts?) -> Void
    ) async throws {
        var underWay: [Submissions] = []
        var refusal: Result<Void, any Error>?
        while true {
            while underWay.count < ahead, let submissions = next() {
                taken.note(submissions.ids)
                underWay.append(submissions)
            }
            if underWay.isEmpty { break }
            try await gate.wait()
            do {
                let acceptance = try await accept(underWay.removeFirst())
                if case .accepted(let counts) = acceptance {
                    answered(counts)
                } else {
                    refusal = refusal ?? .success(())
                    answered(nil)
                }
            } catch {
                refusal = refusal ?? .failure(error)
                answered(nil)
            }
        }
        try refusal?.get()
    }

    public func seal() async throws -> SealingResult {
        seals.note(())
        return sealing(seals.count)
    }

    public func purge(finishedBefore before: Timestamp) async throws -> Int? {
        purges.note(before)
        try await purgeGate.wait()
        return purges.count <= finished ? 1 : nil
    }
    public func parked(_ selection: ParkedSelection, limit: Int) async throws -> [ParkedOutcome] {
        []
    }
    public func parkedCounts() async throws -> [String: Int] { [:] }
    public func replayParked(_ selection: ParkedSelection) async throws -> Int { 0 }
    public func dropParked(_ selection: ParkedSelection) async throws -> Int { 0 }

    public func summary() async throws -> LedgerSummary {
        LedgerSummary(
            pending: 0, openBatches: 0, committedBatches: 0, undelivered: 0, generatedCases: 0,
            generationSeconds: 0)
    }

    public var outcomesCommitted: Doorbell { cases.outcomesCommitted }
    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        try await cases.snapshots(of: ids)
    }
    public func expectedSealing() async throws -> ExpectedSealing {
        try await cases.expectedSealing()
    }
    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        try await stored?.positions(of: log, initial: initial)
            ?? StoredPositions(
                source: log.key, next: initial, partitions: Set(initial.keys))
    }
    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        try await stored?.keep(witnesses, of: source)
    }
    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        try await stored?.restart(log, after: source, at: starts)
    }
    public func register() async throws -> [StageState] { [] }
    public func requestFlush() async throws { flushes.note(()) }
    public func claim(worker: String, lease: Duration) async throws -> Batch? { nil }
    public func extend(batch: Int64, token: Int64, lease: Duration) async throws {}
    public func commit(_ commit: BatchCommit) async throws -> Timestamp {
        Timestamp(microseconds: 0)
    }
    public func release(
        batch: Int64, token: Int64, after delay: Duration, reason: String
    ) async throws {}
    public func handBack(batch: Int64, token: Int64) async throws {}
    public func bisect(batch: Int64, token: Int64) async throws {}
    /// The next claim of a delivery gets this one.
    public func put(_ delivery: OutcomeBatch) { deliveries.withLock { $0.append(delivery) } }
    public func claimDelivery(
        sink: String, worker: String, lease: Duration
    ) async throws -> OutcomeBatch? {
        deliveryLeases.note(lease)
        return deliveries.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
    public func extendDelivery(
        batch: Int64, sink: String, token: Int64, lease: Duration
    ) async throws { deliveryLeases.note(lease) }
    public func delivered(
        batch: Int64, sink: String, token: Int64, refused: [OutcomeRefusal]
    ) async throws {}
    public func releaseDelivery(
        batch: Int64, sink: String, token: Int64, after delay: Duration
    ) async throws {}
    public func handBackDelivery(batch: Int64, sink: String, token: Int64) async throws {}
    public func end(_ ids: [UUID], as state: CaseState, reason: String) async throws -> Int { 0 }
}
