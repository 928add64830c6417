internal import Memory
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// Where an answer to a read comes from: memory of finished reports, the shared cache, the ledger.
///
/// Memory and cache hold what lasts: reports. A case that failed may be opened again in any
/// process, so its outcome is answered by the ledger alone: nobody who knows that the case was
/// opened again is told of the old outcome.
final class CaseAnswers: Sendable {
    /// How long finished reports stay in memory; they never change.
    private static let finishedTimeToLive: Duration = .hours(24)
    /// How long, where cases are deleted, one that the shared cache has answered: it does not say
    /// how old it is.
    private static let agelessTimeToLive: Duration = .seconds(60)

    private let finished: MemoryCache
    private let cache: (any OutcomeCache)?
    private let encoder: any OutcomeEncoder
    private let batcher: SnapshotBatcher?
    private let retention: Duration?
    private let clock: PipelineClock
    private let schedule: PollSchedule

    init(
        reads: ReadPath, encoder: any OutcomeEncoder, memoryBytes: Int, window: Duration,
        clock: PipelineClock, random: RandomSource
    ) {
        finished = MemoryCache(capacityBytes: memoryBytes, clock: clock)
        cache = reads.cache
        retention = reads.retention
        self.clock = clock
        self.encoder = encoder
        batcher = reads.cases.map { SnapshotBatcher(cases: $0, window: window, clock: clock) }
        schedule = PollSchedule(cases: reads.cases, clock: clock, random: random)
    }

    /// Runs what answers misses, until the task is cancelled.
    func run() async throws { try await batcher?.run() }

    /// The encoded `GetReportResponse`, if memory holds it. Does not wait.
    func inMemory(_ id: UUID) -> Bytes? { finished.value(of: id.description) }

    enum Answer: Sendable {
        /// The encoded `GetReportResponse` of a case in a final state.
        case final(Bytes)
        case open(ReportStatus, revision: Int)
        case unknown
    }

    /// - Throws: ``PipelineError`` `retryable` when the ledger can't be reached.
    func answer(_ id: UUID, fresh: Bool = false) async throws -> Answer {
        if let known = inMemory(id) { return .final(known) }
        if !fresh, let cached = await cache?.lookup([id]).first ?? nil {
            keep(
                cached, id, retention == nil ? Self.finishedTimeToLive : Self.agelessTimeToLive)
            return .final(cached)
        }
        guard let snapshot = try await batcher?.snapshot(of: id) else { return .unknown }
        guard let outcome = snapshot.outcome else {
            return .open(try await schedule.status(of: snapshot), revision: snapshot.revision)
        }
        let encoded = try encoder.cached(outcome)
        if outcome.state.isLasting {
            keep(
                encoded, id,
                outcome.timeToLive(
                    Self.finishedTimeToLive, retention: retention, at: clock.timestamp))
            await cache?.store([outcome])
        }
        return .final(encoded)
    }

    /// The store's clock; this process's may be an hour off.
    func storeTime() async -> Timestamp { await schedule.storeTime() }

    private func keep(_ encoded: Bytes, _ id: UUID, _ timeToLive: Duration) {
        if timeToLive <= .zero { return }
        // A copy of its own: a slice would keep its neighbours alive.
        finished.keep(
            CacheEntry(
                key: id.description, value: Array(encoded)[...], timeToLive: timeToLive))
    }
}
