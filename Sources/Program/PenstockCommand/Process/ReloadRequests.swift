internal import Concurrency
internal import GRPCTransport
internal import Synchronization

/// What a reload has brought into force.
struct Reloaded: Sendable {
    /// The names of the pipelines that run now.
    var pipelines: [String]
    /// Why they are not ready yet; `nil` when they are.
    var problem: String?
}

/// Those who have asked for a reload and wait to hear what came of it.
final class ReloadRequests: Sendable {
    private struct State {
        /// Not looked at yet.
        var waiting: [FirstResult<Reloaded>] = []
        /// Whose reload is being made.
        var current: [FirstResult<Reloaded>] = []
        var isOver = false
    }
    private let state = Mutex(State())
    /// Sent when somebody has asked.
    let asked = Signal()

    /// Asks for a reload, and waits for its end.
    ///
    /// - Throws: `GRPCStatusError` FAILED_PRECONDITION when the pipelines go on as before, ABORTED
    ///   when the process stops.
    func ask() async throws(GRPCStatusError) -> Reloaded {
        let result = FirstResult<Reloaded>()
        let isOver = state.withLock { state in
            if !state.isOver { state.waiting.append(result) }
            return state.isOver
        }
        if isOver { throw Self.stopping }
        asked.send()
        do { return try await result.wait() } catch let error as GRPCStatusError {
            throw error
        } catch {
            throw GRPCStatusError(.internal, "internal error")
        }
    }

    /// A reload begins: it is for all who have asked until now.
    func begin() {
        state.withLock { state in
            state.current += state.waiting
            state.waiting = []
        }
    }

    /// The reload is done.
    func done(_ reloaded: Reloaded) { answer(.success(reloaded)) }

    /// The pipelines go on as before.
    func refused(because reason: String) {
        answer(.failure(GRPCStatusError(.failedPrecondition, reason)))
    }

    /// Nothing is reloaded any more.
    func end() {
        let left = state.withLock { state in
            state.isOver = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for request in left { request.give(.failure(Self.stopping)) }
        answer(.failure(Self.stopping))
    }

    private func answer(_ result: Result<Reloaded, any Error>) {
        let current = state.withLock { state in
            defer { state.current = [] }
            return state.current
        }
        for request in current { request.give(result) }
    }

    private static let stopping = GRPCStatusError(.aborted, "the process is stopping")
}
