internal import Concurrency
internal import Memory
public import Metrics
internal import PipelineCore
internal import Protobuf
internal import ReportMessages
internal import Synchronization

/// Where an answer to a read comes from: memory of finished reports, the shared cache, the ledger.
///
/// Memory and cache hold what lasts: reports. A case that failed may be opened again in any
/// process, so its outcome is answered by the ledger alone: nobody who knows that the case was
/// opened again is told of the old outcome. A report that an operator has replayed is answered by
/// the ledger alone until the new one is there, and by memory for ten seconds more.
final class CaseAnswers: Sendable {
    /// How long finished reports stay in memory: so long a process may answer one that a replay
    /// has replaced, or that is deleted where the shared cache did not say how old it is.
    private static let finishedTimeToLive: Duration = .seconds(10)

    private let finished: MemoryCache
    private let cache: (any OutcomeCache)?
    private let encoder: any OutcomeEncoder
    private let cases: (any CaseReader)?
    private let looks: SnapshotBatcher?
    private let cancellations: SnapshotBatcher?
    private let refreshes: SnapshotBatcher?
    private let retention: Duration?
    private let clock: PipelineClock
    private let schedule: PollSchedule
    private let metrics: AnswerMetrics

    init(
        reads: ReadPath, encoder: any OutcomeEncoder, memoryBytes: Int, window: Duration,
        clock: PipelineClock, random: RandomSource,
        metrics: AnswerMetrics = AnswerMetrics(MetricRegistry(), address: "")
    ) {
        self.metrics = metrics
        finished = MemoryCache(capacityBytes: memoryBytes, clock: clock)
        cache = reads.cache
        retention = reads.retention
        self.clock = clock
        self.encoder = encoder
        cases = reads.cases
        looks = reads.cases.map { cases in
            SnapshotBatcher(window: window, clock: clock) { try await cases.snapshots(of: $0) }
        }
        cancellations = reads.afterwards {
            _ = try await $0.end($1, as: .cancelled, reason: "cancelled by its requester")
        }.map { SnapshotBatcher(window: window, clock: clock, $0) }
        refreshes = reads.afterwards { _ = try await $0.refresh($1) }
            .map { SnapshotBatcher(window: window, clock: clock, $0) }
        schedule = PollSchedule(cases: reads.cases, clock: clock, random: random)
    }

    /// Runs what answers misses, until the task is cancelled.
    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for batcher in [looks, cancellations, refreshes].compactMap(\.self) {
                group.addTask { try await batcher.run() }
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    /// The encoded `GetReportResponse`, if memory holds it. Does not wait.
    func inMemory(_ id: UUID) -> Bytes? {
        let known = finished.value(of: id.description)
        (known == nil ? metrics.misses : metrics.hits).increment()
        return known
    }

    enum Answer: Sendable {
        /// The encoded `GetReportResponse` of a case in a final state.
        case final(Bytes)
        case open(ReportStatus, revision: Int, requester: String?)
        case unknown
    }

    /// - Throws: ``PipelineError`` `retryable` when the ledger can't be reached.
    func answer(_ id: UUID, fresh: Bool = false) async throws -> Answer {
        if let known = finished.value(of: id.description) { return .final(known) }
        if !fresh, let cached = await cache?.lookup([id]).first ?? nil {
            keep(cached, id, Self.finishedTimeToLive)
            return .final(cached)
        }
        return try await answer(try await looks?.snapshot(of: id))
    }

    /// Ends the case, unless it has an outcome, and answers where it stands then.
    ///
    /// - Throws: ``PipelineError`` `retryable` when the ledger can't be reached: it may be
    ///   cancelled or not, and can be cancelled again.
    func cancel(_ id: UUID) async throws -> Answer {
        try await answer(try await cancellations?.snapshot(of: id))
    }

    /// Has the case generated anew if it has an outcome, and answers where that stands.
    ///
    /// - Throws: ``PipelineError`` `retryable` when the ledger can't be reached: a repeat does no
    ///   harm.
    func refresh(_ id: UUID) async throws -> Answer {
        guard var snapshot = try await refreshes?.snapshot(of: id) else { return .unknown }
        if let outcome = snapshot.outcome, outcome.revision < snapshot.revision {
            // What is known of the case is of the attempt before.
            snapshot.state = .pending
            var status = try await schedule.status(of: snapshot)
            status.acceptedAt = nil
            status.deadline = nil
            return .open(
                status, revision: snapshot.revision, requester: snapshot.requester)
        }
        return try await answer(snapshot)
    }

    /// The status of a case that has the outcome. Of a report nothing is looked at.
    private func final(_ outcome: Outcome) throws -> ReportStatus {
        if outcome.state == .succeeded { return .done }
        return try GetReportResponse(serializedBytes: encoder.cached(outcome)).status ?? .done
    }

    /// Those of the cases that there are, by one look of its own.
    func known(of ids: [UUID]) async throws -> Set<UUID> {
        Set(try await cases?.snapshots(of: Array(Set(ids))).keys ?? [:].keys)
    }

    /// Where cases stand, by one look of its own.
    func statuses(of ids: [UUID]) async throws -> [UUID: (ReportStatus, revision: Int)] {
        var found: [UUID: (ReportStatus, revision: Int)] = [:]
        for (id, snapshot) in try await cases?.snapshots(of: ids) ?? [:] {
            var status = try await schedule.status(of: snapshot)
            if let outcome = snapshot.outcome {
                status = try final(outcome)
                status.acceptedAt = Google_Protobuf_Timestamp(snapshot.acceptedAt)
                status.deadline = Google_Protobuf_Timestamp(snapshot.deadline)
            }
            found[id] = (status, snapshot.revision)
        }
        return found
    }

    private func answer(_ snapshot: CaseSnapshot?) async throws -> Answer {
        guard let snapshot else { return .unknown }
        let id = snapshot.id
        guard let outcome = snapshot.outcome else {
            return .open(
                try await schedule.status(of: snapshot), revision: snapshot.revision,
                requester: snapshot.requester)
        }
        let encoded = try encoder.cached(outcome)
        // One that is being replayed is going to be replaced: nobody keeps it.
        if outcome.state.isLasting, outcome.revision == snapshot.revision {
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

extension ReadPath {
    /// Changes cases, and looks where they stand then; `nil` where that can't be done.
    fileprivate func afterwards(
        _ change: @escaping @Sendable (any CaseChanges, [UUID]) async throws -> Void
    ) -> (@Sendable ([UUID]) async throws -> [UUID: CaseSnapshot])? {
        guard let cases, let changes else { return nil }
        return { ids in
            try await change(changes, ids)
            return try await cases.snapshots(of: ids)
        }
    }
}

/// How often memory had the report that was asked for.
struct AnswerMetrics: Sendable {
    let hits: Counter
    let misses: Counter

    /// - Parameter address: of the API.
    init(_ registry: MetricRegistry, address: String) {
        hits = registry.counter(.memoryHits, address)
        misses = registry.counter(.memoryMisses, address)
    }
}

extension MetricDeclaration {
    /// Those of the report API, beside what its server tells.
    public static let ofReportAPIs = [memoryHits, memoryMisses, waitingReaders]

    fileprivate static let memoryHits = counter(
        "penstock_report_memory_hits_total",
        "Reads of a report that the API's memory answered at once.", labels: "server_address")
    fileprivate static let memoryMisses = counter(
        "penstock_report_memory_misses_total",
        "Reads for which the shared cache or the ledger was asked.", labels: "server_address")
    static let waitingReaders = gauge(
        "penstock_waiting_readers", "Calls of WaitReport that wait for an outcome.",
        labels: "server_address")
}
