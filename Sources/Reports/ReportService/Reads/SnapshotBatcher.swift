internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// Collects what is asked of cases within a few milliseconds into one statement, one statement at a
/// time.
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
    private let ask: @Sendable ([UUID]) async throws -> [UUID: CaseSnapshot]
    private let window: Duration
    private let clock: PipelineClock

    /// - Parameter ask: what the ledger says of cases; unknown ids are missing from the answer.
    init(
        window: Duration, clock: PipelineClock,
        _ ask: @escaping @Sendable ([UUID]) async throws -> [UUID: CaseSnapshot]
    ) {
        self.ask = ask
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
            let found = try await ask(Array(Set(waiting.map(\.id))))
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
