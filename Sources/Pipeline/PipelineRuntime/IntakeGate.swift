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
    /// The sources that have come to their end, which may be read again.
    let ended: EndedSources

    init(
        _ graph: PipelineGraph, barrier: RunningBarrier, environment: RunEnvironment
    ) {
        self.barrier = barrier
        sources = graph.sources.map { ($0.id, $0.role) }
        ended = EndedSources(of: graph.sources.map { ($0.id, $0.role.count) })
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
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await self.look() }
            group.addTask { [clock = environment.clock] in
                try? await clock.sleep(for: .seconds(1))
            }
            await group.next()
            group.cancelAll()
        }
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
        // A pause may begin and end between two looks.
        let isMoved = known != nil && changes.contains(where: \.setsPositions)
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
            if isNews { for source in sources { source.blocked(by: error) } }
            guard error == nil, isNews || isMoved else { continue }
            for source in sources { source.positionsMayHaveMoved() }
            ended.readAgain(id)
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

/// Sources that have come to their end while others go on, or what they sent waits: where an
/// operator sets their positions back, they have something to read again.
final class EndedSources: Sendable {
    private struct State {
        /// Sources that read.
        var reading: Int
        /// How often positions may have moved, by the ids of ingest stages.
        var moves: [String: Int] = [:]
        /// Set, and another one made, with each change.
        var change = AsyncEvent()

        mutating func changed() {
            change.set()
            change = AsyncEvent()
        }
    }
    /// How often to look whether all is done, once every source has ended.
    private static let idleCheck: Duration = .milliseconds(250)

    private let state: Mutex<State>

    init(of sources: [(id: String, count: Int)]) {
        state = Mutex(State(reading: sources.reduce(0) { $0 + $1.count }))
    }

    /// The positions of a stage's inputs may have moved.
    func readAgain(_ stage: String) {
        state.withLock { state in
            state.moves[stage, default: 0] += 1
            state.changed()
        }
    }

    /// Runs `read` to the source's end, and again whenever positions have moved since it began;
    /// returns when every source has ended and nothing is left to do.
    func reading(
        _ stage: String, clock: PipelineClock, isDone: () async throws -> Bool,
        _ read: () async throws -> Void
    ) async throws {
        while true {
            let moves = state.withLock { $0.moves[stage] }
            try await read()
            state.withLock { state in
                state.reading -= 1
                state.changed()
            }
            while true {
                let (isMoved, hasAllEnded, change) = state.withLock { state in
                    let isMoved = state.moves[stage] != moves
                    if isMoved { state.reading += 1 }
                    return (isMoved, state.reading == 0, state.change)
                }
                if isMoved { break }
                if !hasAllEnded {
                    try await change.wait()
                } else if try await isDone() {
                    return
                } else {
                    try await clock.sleep(for: Self.idleCheck)
                }
            }
        }
    }
}
