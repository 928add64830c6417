public import Concurrency
public import PipelineCore
internal import Synchronization

/// A ledger in memory that answers what a test says: batches are what a test puts in, every call is
/// noted.
public final class FakeLedger: Ledger {
    /// Calls that can be made to fail, and that are noted.
    public enum Call: String, Sendable, CaseIterable {
        case register, accept, extend, commit, release, handBack, bisect, replay
        case delivered, releaseDelivery, handBackDelivery
    }
    struct State {
        var batches: [Batch] = []
        var claimed: [Int64: Batch] = [:]
        var lastNumber: Int64 = 0
        var deliveries: [String: [OutcomeBatch]] = [:]
        var claimedDeliveries: [String: OutcomeBatch] = [:]
        var open = 0
        var paused: [LedgerPart: LedgerPause] = [:]
        var changes: [LedgerChange] = []
    }

    // MARK: What was asked for

    /// `commit 1`, `release 1`, `delivered 1 to a`, in order.
    public let calls = Journal<String>()
    /// The ids of each chunk that was asked to be accepted, conflicts included.
    public let submissions = Journal<[UUID]>()
    /// The ids of each chunk that was accepted.
    public let accepted = Journal<[UUID]>()
    /// The ids of each chunk of a window, when it was taken.
    public let taken = Journal<[UUID]>()
    /// How often the rule was evaluated.
    public let seals = Journal<Void>()
    public let purges = Journal<Timestamp>()
    public let flushes = Journal<Void>()
    /// What was committed.
    public let commits = Journal<(batch: Batch, generated: GeneratedBatch)>()
    /// What deliveries were claimed or extended for.
    public let deliveryLeases = Journal<Duration>()
    /// How long batches were given back for.
    public let pauses = Journal<Duration>()
    /// What sinks have refused for good.
    public let refusals = Journal<(sink: String, outcome: OutcomeRefusal)>()

    // MARK: What is answered

    /// `accept` fails with these first.
    public var failures: Failures { failing[.accept]! }
    /// Chunks of a window wait here for their answers.
    public let gate = AsyncEvent()
    /// A purge waits here.
    public let purgeGate = AsyncEvent()
    public let cases = FakeCases()
    private let failing: [Call: Failures]
    private let finished: Int
    private let conflicts: Set<UUID>
    private let strayConflicts: [Int]?
    private let refused: Set<UUID>
    private let stored: FakePositions?
    private let ahead: Int
    private let sealing: (@Sendable (Int) -> SealingResult)?
    /// The store's clock.
    let storeTime: Timestamp
    let waitsAtClaims: Bool
    let state = Mutex(State())
    let sealed = Signal()
    let committed = Mutex<[String: Signal]>([:])

    /// - Parameters:
    ///   - conflicts: ids that are known with other parameters.
    ///   - strayConflicts: where it finds conflicts whatever it is given.
    ///   - refused: ids that the store can't keep.
    ///   - stored: where chunks have to go on from; anywhere without it.
    ///   - ahead: how many chunks of a window are taken before the first is answered; none of it at
    ///     0.
    ///   - isOpen: whether the gates are.
    ///   - finished: how many batches there are to purge.
    ///   - storeTime: the store's clock, which stands still.
    ///   - waitsAtClaims: a claim waits for something to be claimed, so that nobody has to be
    ///     woken.
    ///   - sealing: what the evaluation of that number (from 1) finds; without it, evaluations
    ///     never end.
    public init(
        conflicts: Set<UUID> = [], strayConflicts: [Int]? = nil, refused: Set<UUID> = [],
        stored: FakePositions? = nil,
        ahead: Int = 0, isOpen: Bool = true, finished: Int = 0,
        storeTime: Timestamp = Timestamp(microseconds: 0), waitsAtClaims: Bool = true,
        sealing: (@Sendable (Int) -> SealingResult)? = nil
    ) {
        self.conflicts = conflicts
        self.strayConflicts = strayConflicts
        self.refused = refused
        self.stored = stored
        self.ahead = ahead
        if isOpen {
            gate.set()
            purgeGate.set()
        }
        self.finished = finished
        self.storeTime = storeTime
        self.waitsAtClaims = waitsAtClaims
        self.sealing = sealing
        failing = Dictionary(uniqueKeysWithValues: Call.allCases.map { ($0, Failures()) })
    }

    /// The next calls of that sort throw these.
    public func fail(_ call: Call, _ errors: PipelineError...) {
        for error in errors { failing[call]?.add(error) }
    }

    func perform(_ call: Call, _ what: String = "") throws {
        try failing[call]?.throwNext()
        calls.note(what.isEmpty ? call.rawValue : "\(call.rawValue) \(what)")
    }

    public func register() async throws -> [StageState] {
        try perform(.register)
        return []
    }

    public func accept(_ submissions: Submissions) async throws -> Acceptance {
        try perform(.accept, "\(submissions.count)")
        self.submissions.note(submissions.ids)
        if let strayConflicts { return .conflicts(strayConflicts) }
        if !refused.isDisjoint(with: submissions.ids) {
            throw PipelineError.permanent("store-data", "there is no such character")
        }
        let known = submissions.ids.indices.filter { conflicts.contains(submissions.ids[$0]) }
        if !known.isEmpty { return .conflicts(known) }
        try stored?.advance(submissions.advances)
        accepted.note(submissions.ids)
        return .accepted(AcceptedCounts(new: submissions.count, reopened: 0, repeated: 0))
    }

    public func accept(from window: any SubmissionWindow) async throws {
        var inFlight: [Submissions] = []
        while true {
            while inFlight.count < ahead, let submissions = window.next() {
                taken.note(submissions.ids)
                inFlight.append(submissions)
            }
            if inFlight.isEmpty { return }
            try await gate.wait()
            do {
                window.answer(.success(try await accept(inFlight.removeFirst())))
            } catch {
                window.answer(.failure(error))
            }
        }
    }

    public func seal() async throws -> SealingResult {
        seals.note(())
        guard let sealing else {
            try await AsyncEvent().wait()
            throw CancellationError()
        }
        return sealing(seals.count)
    }

    public func requestFlush() async throws { flushes.note(()) }

    public func purge(finishedBefore before: Timestamp) async throws -> Int? {
        purges.note(before)
        try await purgeGate.wait()
        return purges.count <= finished ? 1 : nil
    }

    public func overview() async throws -> LedgerOverview {
        state.withLock { state in
            LedgerOverview(
                clock: storeTime, open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
                revision: 1, sealed: state.open,
                undelivered: state.deliveries.compactMapValues {
                    $0.isEmpty ? nil : .init(count: $0.count, oldest: storeTime)
                })
        }
    }
    public func batches(_ selection: BatchSelection, limit: Int) async throws -> [BatchRecord] {
        []
    }
    public func history(of id: UUID) async throws -> CaseHistory? { nil }
    public func logPositions() async throws -> [LogPositions] { [] }
    public func pause(_ parts: Set<LedgerPart>, reason: String) async throws {
        let pause = LedgerPause(since: storeTime, reason: reason)
        state.withLock { state in
            for part in parts where state.paused[part] == nil { state.paused[part] = pause }
        }
    }
    public func resume(_ parts: Set<LedgerPart>) async throws {
        state.withLock { state in for part in parts { state.paused[part] = nil } }
    }
    public func pauses() async throws -> [LedgerPart: LedgerPause] { state.withLock(\.paused) }
    public func note(_ action: String, by actor: String) async throws {
        let at = storeTime
        state.withLock { state in
            state.changes.append(
                LedgerChange(
                    number: Int64(state.changes.count + 1), at: at, actor: actor, action: action))
        }
    }
    public func changes(after number: Int64?, limit: Int) async throws -> [LedgerChange] {
        state.withLock { $0.changes.filter { $0.number > number ?? 0 }.suffix(limit) }
    }
}

extension FakeLedger {
    public func parked(_ selection: ParkedSelection, limit: Int) async throws -> [ParkedOutcome] {
        []
    }
    public func parkedCounts() async throws -> [String: Int] { [:] }
    public func replayParked(_ selection: ParkedSelection) async throws -> Int { 0 }
    public func dropParked(_ selection: ParkedSelection) async throws -> Int { 0 }

    public var outcomesCommitted: Signal { cases.outcomesCommitted }
    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        try await cases.snapshots(of: ids)
    }
    public func expectedSealing() async throws -> ExpectedSealing {
        try await cases.expectedSealing()
    }
    public func list(_ listing: CaseListing) async throws -> [ListedCase] {
        try await cases.list(listing)
    }
    public func refresh(_ ids: [UUID]) async throws -> Int { try await cases.refresh(ids) }

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

    public func end(
        _ ids: [UUID], as state: CaseState, reason: String, sinks: [String]
    ) async throws -> Int { 0 }
    public func replay(batch: Int64) async throws -> BatchReplay {
        try perform(.replay, "\(batch)")
        return BatchReplay()
    }
}

extension [UUID] {
    /// The numbers that testing identifiers stand for.
    public var numbers: [Int] { map { Int($0.low) } }
}
