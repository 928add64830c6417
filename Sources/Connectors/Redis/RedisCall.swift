internal import PipelineCore
internal import Synchronization

/// A caller that waits for the replies to its commands.
final class RedisCall: Sendable {
    private enum State {
        /// Not waiting yet.
        case new
        /// In the queue: may still be cancelled.
        case waiting(Resumption<[RedisReply]>)
        /// Written, or about to be: only the reply or a failure ends it.
        case sent(Resumption<[RedisReply]>)
        case ended
    }
    let commands: [RedisCommand]
    let byteCount: Int
    private let state = Mutex(State.new)

    init(_ commands: [RedisCommand]) {
        self.commands = commands
        byteCount = commands.reduce(0) { $0 + $1.bytes.count }
    }

    /// The caller waits from now on; `false` when it was cancelled before, and has been told.
    func begin(_ resumption: Resumption<[RedisReply]>) -> Bool {
        let isCancelled = state.withLock { state in
            guard case .new = state else { return true }
            state = .waiting(resumption)
            return false
        }
        if isCancelled { resumption.resume(throwing: CancellationError()) }
        return !isCancelled
    }

    /// Takes the call out of the queue for sending; `false` when it was cancelled.
    func take() -> Bool {
        state.withLock { state in
            guard case .waiting(let resumption) = state else { return false }
            state = .sent(resumption)
            return true
        }
    }

    /// Ends a call that has not been sent.
    func cancel() {
        let resumption: Resumption<[RedisReply]>? = state.withLock { state in
            switch state {
            case .new:
                state = .ended
                return nil
            case .waiting(let resumption):
                state = .ended
                return resumption
            case .sent, .ended: return nil
            }
        }
        resumption?.resume(throwing: CancellationError())
    }

    /// Ends the call, unless it has ended.
    func finish(_ result: Result<[RedisReply], any Error>) {
        let resumption: Resumption<[RedisReply]>? = state.withLock { state in
            switch state {
            case .new, .ended: return nil
            case .waiting(let resumption), .sent(let resumption):
                state = .ended
                return resumption
            }
        }
        resumption?.resume(with: result)
    }
}
