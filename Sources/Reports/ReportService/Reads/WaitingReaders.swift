internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// Readers that wait for outcomes, in one table: one look a second for all of them together, one
/// timer, and a look at once when this process has committed outcomes.
final class WaitingReaders: Sendable {
    /// How often to look for outcomes that other processes have committed.
    private static let interval: Duration = .seconds(1)
    /// Outcomes that are committed one after the other share a look.
    private static let leastInterval: Duration = .milliseconds(50)

    private struct Reader {
        let id: UUID
        let deadline: Instant
        let resumption: Resumption<Void>
    }
    private struct State {
        var readers: [UInt64: Reader] = [:]
        var nextNumber: UInt64 = 0
        /// When the loop looks up by itself.
        var wakesAt: Instant?
        var hasNews = false
        var isShut = false
    }
    private let state = Mutex(State())
    private let changed = Signal()
    private let cases: any CaseReader
    private let clock: PipelineClock

    init(cases: any CaseReader, clock: PipelineClock) {
        self.cases = cases
        self.clock = clock
    }

    var count: Int { state.withLock(\.readers.count) }

    /// Returns when the case may have an outcome, or at the deadline: who waits has to ask then.
    /// - Throws: ``PipelineError`` `retryable` when the ledger can't be reached;
    ///   `CancellationError`.
    func wait(for id: UUID, until deadline: Instant) async throws {
        let number = state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                let (refusal, isEarlier) = state.withLock { state -> ((any Error)?, Bool) in
                    if Task.isCancelled { return (CancellationError(), false) }
                    if state.isShut { return (Self.shuttingDown, false) }
                    state.readers[number] = Reader(
                        id: id, deadline: deadline, resumption: resumption)
                    return (nil, state.wakesAt.map { deadline < $0 } ?? true)
                }
                if let refusal { return resumption.resume(throwing: refusal) }
                if isEarlier { changed.send() }
            }
        } onCancel: {
            state.withLock { $0.readers.removeValue(forKey: number) }?
                .resumption.resume(throwing: CancellationError())
        }
    }

    /// Serves those who wait until the task is cancelled.
    func run() async throws {
        defer { shut() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [self] in
                while true {
                    try await cases.outcomesCommitted.wait()
                    state.withLock { $0.hasNews = true }
                    changed.send()
                }
            }
            group.addTask { [self] in try await serve() }
            try await group.waitForAllOrFirstFailure()
        }
    }

    private func serve() async throws {
        var lastLook = clock.now
        while true {
            let wake = state.withLock { state -> Instant? in
                guard let first = state.readers.values.lazy.map(\.deadline).min() else {
                    state.wakesAt = nil
                    state.hasNews = false
                    return nil
                }
                let pause = state.hasNews ? Self.leastInterval : Self.interval
                let wake = min(first, lastLook.advanced(by: pause))
                state.wakesAt = wake
                return wake
            }
            guard let wake else {
                try await changed.wait()
                // Who has come has just looked.
                lastLook = clock.now
                continue
            }
            if wake > clock.now { try await changed.wait(until: wake, clock: clock) }
            let now = clock.now
            let (late, isDue) = state.withLock { state in
                let late = state.readers.filter { $0.value.deadline <= now }
                for number in late.keys { state.readers[number] = nil }
                let pause = state.hasNews ? Self.leastInterval : Self.interval
                return (Array(late.values), lastLook.advanced(by: pause) <= now)
            }
            for reader in late { reader.resumption.resume(returning: ()) }
            guard isDue else { continue }
            lastLook = now
            await look()
        }
    }

    private func look() async {
        let ids = state.withLock { state in
            state.hasNews = false
            return Set(state.readers.values.map(\.id))
        }
        if ids.isEmpty { return }
        let finished: Result<Set<UUID>, any Error>
        do { finished = .success(try await cases.finished(of: Array(ids))) } catch {
            finished = .failure(error)
        }
        let told = state.withLock { state in
            let told = state.readers.filter { _, reader in
                guard ids.contains(reader.id) else { return false }
                guard case .success(let finished) = finished else { return true }
                return finished.contains(reader.id)
            }
            for number in told.keys { state.readers[number] = nil }
            return told.values
        }
        for reader in told { reader.resumption.resume(with: finished.map { _ in () }) }
    }

    private func shut() {
        let readers = state.withLock { state in
            state.isShut = true
            defer { state.readers = [:] }
            return state.readers.values
        }
        for reader in readers { reader.resumption.resume(throwing: Self.shuttingDown) }
    }

    private static let shuttingDown = PipelineError.retryable(
        .shuttingDown, "the service is shutting down")
}
