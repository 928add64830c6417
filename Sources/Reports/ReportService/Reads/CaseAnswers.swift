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
    private let batcher: SnapshotBatcher?
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
        batcher = reads.cases.map { SnapshotBatcher(cases: $0, window: window, clock: clock) }
        schedule = PollSchedule(cases: reads.cases, clock: clock, random: random)
    }

    /// Runs what answers misses, until the task is cancelled.
    func run() async throws { try await batcher?.run() }

    /// The encoded `GetReportResponse`, if memory holds it. Does not wait.
    func inMemory(_ id: UUID) -> Bytes? {
        let known = finished.value(of: id.description)
        (known == nil ? metrics.misses : metrics.hits).increment()
        return known
    }

    enum Answer: Sendable {
        /// The encoded `GetReportResponse` of a case in a final state.
        case final(Bytes)
        case open(ReportStatus, revision: Int)
        case unknown
    }

    /// - Throws: ``PipelineError`` `retryable` when the ledger can't be reached.
    func answer(_ id: UUID, fresh: Bool = false) async throws -> Answer {
        if let known = finished.value(of: id.description) { return .final(known) }
        if !fresh, let cached = await cache?.lookup([id]).first ?? nil {
            keep(cached, id, Self.finishedTimeToLive)
            return .final(cached)
        }
        guard let snapshot = try await batcher?.snapshot(of: id) else { return .unknown }
        guard let outcome = snapshot.outcome else {
            return .open(try await schedule.status(of: snapshot), revision: snapshot.revision)
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

/// Collects the misses of a few milliseconds into one statement, one statement at a time.
///
/// So statements per second have a ceiling by construction, whatever is asked: about one a
/// `window`.
final class SnapshotBatcher: Sendable {
    /// Most cases in a statement.
    static let maxCases = 1024
    /// Readers that may wait; more are turned away at once.
    private static let maxWaiting = 65_536

    private typealias Waiting = (id: UUID, resumption: Resumption<CaseSnapshot?>)
    private struct State {
        var waiting: [Waiting] = []
        var isShut = false
    }
    private let state = Mutex(State())
    private let arrivals = Signal()
    private let cases: any CaseReader
    private let window: Duration
    private let clock: PipelineClock

    init(cases: any CaseReader, window: Duration, clock: PipelineClock) {
        self.cases = cases
        self.window = window
        self.clock = clock
    }

    /// What the ledger knows of the case; `nil` when it does not know it.
    func snapshot(of id: UUID) async throws -> CaseSnapshot? {
        try await suspended { (resumption: Resumption<CaseSnapshot?>) in
            let refusal: PipelineError? = state.withLock { state in
                if state.isShut {
                    return .retryable(.shuttingDown, "the service is shutting down")
                }
                if state.waiting.count >= Self.maxWaiting {
                    return .retryable(.overloaded, "too many reads wait; try again later")
                }
                state.waiting.append((id, resumption))
                return nil
            }
            if let refusal { resumption.resume(throwing: refusal) } else { arrivals.send() }
        }
    }

    /// Answers readers until the task is cancelled.
    func run() async throws {
        defer { shut() }
        while true {
            try await arrivals.wait()
            repeat {
                try await clock.sleep(for: window)
                await answer(take())
            } while state.withLock { !$0.waiting.isEmpty }
        }
    }

    private func take() -> [Waiting] {
        state.withLock { state in
            let taken = Array(state.waiting.prefix(Self.maxCases))
            state.waiting.removeFirst(taken.count)
            return taken
        }
    }

    private func answer(_ waiting: [Waiting]) async {
        if waiting.isEmpty { return }
        do {
            let found = try await cases.snapshots(of: Array(Set(waiting.map(\.id))))
            for reader in waiting { reader.resumption.resume(returning: found[reader.id]) }
        } catch {
            for reader in waiting { reader.resumption.resume(throwing: error) }
        }
    }

    private func shut() {
        let waiting = state.withLock { state in
            state.isShut = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for reader in waiting {
            reader.resumption.resume(
                throwing: PipelineError.retryable(.shuttingDown, "the service is shutting down"))
        }
    }
}
