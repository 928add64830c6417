import Concurrency
import Ledger
import PipelineCore
import PipelineSimulation

/// What a process asks its ledger for, where the audit of the store's calls finds it.
enum LedgerOperation: Sendable {
    case other
    case seal
    case claim
    case commit(batch: Int64, token: Int64)
    case bisect(batch: Int64)
    case delivered(batch: Int64, sink: String)

    @TaskLocal static var current = LedgerOperation.other
}

/// Any ledger, in a simulated process: says what it is asked for, and lets the process stall at
/// calls about leases.
struct RecordingLedger: Ledger {
    let inner: any Ledger
    let process: SimulatedProcess
    /// Stalls now and then.
    let stall: @Sendable () async -> Void
    /// Called with the name of each operation before it; may throw in its place.
    let fault: @Sendable (_ operation: String) throws -> Void

    private func observed<T: Sendable>(
        _ operation: LedgerOperation, _ body: () async throws -> T
    ) async throws -> T {
        try await LedgerOperation.$current.withValue(operation) { try await body() }
    }

    func register() async throws -> [StageState] {
        try fault("register")
        return try await inner.register()
    }
    func accept(_ submissions: Submissions) async throws -> Acceptance {
        try fault("accept")
        return try await inner.accept(submissions)
    }
    func seal() async throws -> SealingResult {
        try fault("seal")
        return try await observed(.seal) { try await inner.seal() }
    }
    func requestFlush() async throws { try await inner.requestFlush() }

    func claim(worker: String, lease: Duration, atMost limit: Int?) async throws -> Batch? {
        try fault("claim")
        let batch = try await observed(.claim) {
            try await inner.claim(worker: worker, lease: lease, atMost: limit)
        }
        if let batch {
            process.simulator.log("\(process.name) claims \(batch.number)/\(batch.token)")
            await stall()
        }
        return batch
    }
    func extend(batch: Int64, token: Int64, lease: Duration) async throws {
        try fault("extend")
        await stall()
        try await inner.extend(batch: batch, token: token, lease: lease)
    }
    func commit(_ commit: BatchCommit) async throws -> Timestamp {
        try fault("commit")
        await stall()
        return try await observed(.commit(batch: commit.batch, token: commit.token)) {
            try await inner.commit(commit)
        }
    }
    func release(batch: Int64, token: Int64, after delay: Duration, reason: String) async throws {
        try fault("release")
        await stall()
        try await inner.release(batch: batch, token: token, after: delay, reason: reason)
    }
    func handBack(batch: Int64, token: Int64) async throws {
        try fault("handBack")
        await stall()
        try await inner.handBack(batch: batch, token: token)
    }
    func bisect(batch: Int64, token: Int64) async throws {
        try fault("bisect")
        await stall()
        try await observed(.bisect(batch: batch)) {
            try await inner.bisect(batch: batch, token: token)
        }
    }

    func claimDelivery(
        sink: String, worker: String, lease: Duration
    ) async throws -> OutcomeBatch? {
        try fault("claimDelivery")
        let batch = try await inner.claimDelivery(sink: sink, worker: worker, lease: lease)
        if batch != nil { await stall() }
        return batch
    }
    func extendDelivery(
        batch: Int64, sink: String, token: Int64, lease: Duration
    ) async throws {
        await stall()
        try await inner.extendDelivery(batch: batch, sink: sink, token: token, lease: lease)
    }
    func delivered(
        batch: Int64, sink: String, token: Int64, refused: [OutcomeRefusal]
    ) async throws {
        try fault("delivered")
        await stall()
        try await observed(.delivered(batch: batch, sink: sink)) {
            try await inner.delivered(batch: batch, sink: sink, token: token, refused: refused)
        }
    }
    func releaseDelivery(
        batch: Int64, sink: String, token: Int64, after delay: Duration
    ) async throws {
        try await inner.releaseDelivery(batch: batch, sink: sink, token: token, after: delay)
    }

    func handBackDelivery(batch: Int64, sink: String, token: Int64) async throws {
        try await inner.handBackDelivery(batch: batch, sink: sink, token: token)
    }

    func end(
        _ ids: [UUID], as state: CaseState, reason: String, sinks: [String]
    ) async throws -> Int {
        try await inner.end(ids, as: state, reason: reason, sinks: sinks)
    }
    func purge(finishedBefore before: Timestamp) async throws -> Int? {
        try await inner.purge(finishedBefore: before)
    }
    func parked(_ selection: ParkedSelection, limit: Int) async throws -> [ParkedOutcome] {
        try await inner.parked(selection, limit: limit)
    }
    func parkedCounts() async throws -> [String: Int] { try await inner.parkedCounts() }
    func replayParked(_ selection: ParkedSelection) async throws -> Int {
        try await inner.replayParked(selection)
    }
    func refresh(_ ids: [UUID]) async throws -> Int { try await inner.refresh(ids) }
    func list(_ listing: CaseListing) async throws -> [ListedCase] {
        try await inner.list(listing)
    }
    func replay(batch: Int64) async throws -> BatchReplay { try await inner.replay(batch: batch) }
    func dropParked(_ selection: ParkedSelection) async throws -> Int {
        try await inner.dropParked(selection)
    }
    func overview() async throws -> LedgerOverview { try await inner.overview() }
    func batches(_ selection: BatchSelection, limit: Int) async throws -> [BatchRecord] {
        try await inner.batches(selection, limit: limit)
    }
    func history(of id: UUID) async throws -> CaseHistory? { try await inner.history(of: id) }
    func pause(_ parts: Set<LedgerPart>, reason: String) async throws {
        try await inner.pause(parts, reason: reason)
    }
    func resume(_ parts: Set<LedgerPart>) async throws { try await inner.resume(parts) }
    func pauses() async throws -> [LedgerPart: LedgerPause] { try await inner.pauses() }
    func note(_ action: String, by actor: String) async throws {
        try await inner.note(action, by: actor)
    }
    func changes(after number: Int64?, limit: Int) async throws -> [LedgerChange] {
        try await inner.changes(after: number, limit: limit)
    }
    func logPositions() async throws -> [LogPositions] { try await inner.logPositions() }
    func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        try fault("positions")
        return try await inner.positions(of: log, initial: initial)
    }
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        try await inner.keep(witnesses, of: source)
    }
    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws { try await inner.restart(log, after: source, at: starts) }
    func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        try await inner.snapshots(of: ids)
    }
    func reopenable(of ids: [UUID]) async throws -> Set<UUID> {
        try await inner.reopenable(of: ids)
    }
    func expectedSealing() async throws -> ExpectedSealing { try await inner.expectedSealing() }
    var outcomesCommitted: Signal { inner.outcomesCommitted }
}

/// Hands out ledgers of one process.
struct RecordingLedgerProvider: LedgerProvider {
    let inner: any LedgerProvider
    let process: SimulatedProcess
    let stall: @Sendable () async -> Void
    var fault: @Sendable (_ operation: String) throws -> Void = { _ in }

    func ledger(for stage: LedgerStage) throws -> any Ledger {
        RecordingLedger(
            inner: try inner.ledger(for: stage), process: process, stall: stall, fault: fault)
    }
    func deadLetters(of pipeline: String) -> any DeadLetterStore {
        inner.deadLetters(of: pipeline)
    }
    func migrateLedger() async throws { try await inner.migrateLedger() }
    func probe() async throws { try await inner.probe() }
    func close() async {}
}
