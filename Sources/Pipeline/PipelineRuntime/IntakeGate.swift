internal import Concurrency
internal import Logging
internal import PipelineCore
internal import Synchronization

/// Holds back the sources that an operator has paused, and logs what operators change.
///
/// A source that is held back waits with what it has read; callers of a service are turned away
/// and told so.
final class IntakeGate: Sendable {
    private struct State {
        /// By the ids of ingest stages.
        var paused: [String: PipelineError] = [:]
        /// The last change that was logged; `nil` before the first look.
        var lastChange: Int64?
    }

    private let barrier: RunningBarrier
    private let sources: [(id: String, sources: [any Source])]
    private let environment: RunEnvironment
    private let state = Mutex(State())

    init(
        _ graph: PipelineGraph, barrier: RunningBarrier, environment: RunEnvironment
    ) {
        self.barrier = barrier
        sources = graph.sources.map { ($0.id, $0.role) }
        self.environment = environment
    }

    /// Runs `body` while it looks every now and then.
    func watching(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.watch() }
            try await body()
            group.cancelAll()
        }
        await lookOnceMore()
    }

    /// What was changed just before the end is logged as well, unless the store takes its time.
    private func lookOnceMore() async {
        let limit: @Sendable () async throws -> Void = { [environment] in
            try await environment.clock.sleep(for: .seconds(1))
        }
        _ = await abandoned(after: limit) { try? await self.look() }
    }

    private func watch() async throws {
        while true {
            try await environment.clock.sleep(for: barrier.pollWithJitter)
            do { try await look() } catch let error as PipelineError
                where error.disposition == .retryable
            {
                // Whoever works on the store tells of its outage; what was known holds.
            }
        }
    }

    /// Takes note of what is paused and what was changed since.
    func look() async throws {
        let pauses = try await barrier.ledger.pauses()
        let known = state.withLock(\.lastChange)
        let changes = try await barrier.ledger.changes(after: known, limit: 100)
        state.withLock { $0.lastChange = changes.map(\.number).max() ?? known ?? 0 }
        // What was changed before this process began is history.
        if known != nil { for change in changes { log(change) } }
        for (id, sources) in sources {
            let error = pauses[.intake(id)].map { pause in
                PipelineError.retryable(
                    .intakePaused,
                    "an operator has paused stage \(id): \(pause.sentence)")
            }
            let isNews = state.withLock { state in
                defer { state.paused[id] = error }
                return (state.paused[id] == nil) != (error == nil)
            }
            guard isNews else { continue }
            for source in sources {
                source.blocked(by: error)
                if error == nil { source.positionsMayHaveMoved() }
            }
        }
    }

    private func log(_ change: LedgerChange) {
        environment.logger.notice(
            "operator: \(change.action)",
            metadata: [
                "stage": "\(barrier.id)", "by": "\(change.actor)", "change": "\(change.number)",
            ])
    }

    /// Returns when the stage may send.
    func pass(_ stage: String) async throws {
        while error(of: stage) != nil {
            try await environment.clock.sleep(for: barrier.pollWithJitter)
        }
    }

    /// What the stage's callers are told while it is paused.
    func error(of stage: String) -> PipelineError? { state.withLock { $0.paused[stage] } }
}
