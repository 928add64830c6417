internal import PipelineCore
internal import Synchronization

/// A limit to something that may not end when it is told to: a name server's answer, a C library's call.
enum Deadline {
    /// What `body` returns, or `nil` when that takes longer; it is cancelled then, and its end not waited for.
    static func within<Value: Sendable>(
        _ timeout: Duration, clock: PipelineClock, _ body: @escaping @Sendable () async -> Value
    ) async -> Value? {
        // A task group would wait for the loser: these two tasks are free, and the process ends soon.
        let race = Race<Value>()
        let work = Task { race.finish(await body()) }
        let limit = Task {
            do { try await clock.sleep(for: timeout) } catch { return }
            race.finish(nil)
        }
        defer {
            work.cancel()
            limit.cancel()
        }
        return await race.winner()
    }
}

/// The first of several values, for one who waits for it.
private final class Race<Value: Sendable>: Sendable {
    private enum State {
        case running
        case awaited(CheckedContinuation<Value?, Never>)
        case over(Value?)
    }
    private let state = Mutex(State.running)

    func finish(_ value: Value?) {
        let waiting = state.withLock { state -> CheckedContinuation<Value?, Never>? in
            switch state {
            case .running:
                state = .over(value)
                return nil
            case .awaited(let waiting):
                state = .over(value)
                return waiting
            case .over: return nil
            }
        }
        waiting?.resume(returning: value)
    }

    func winner() async -> Value? {
        await withCheckedContinuation { continuation in
            let known = state.withLock { state -> Value?? in
                if case .over(let value) = state { return .some(value) }
                state = .awaited(continuation)
                return nil
            }
            if let known { continuation.resume(returning: known) }
        }
    }
}
