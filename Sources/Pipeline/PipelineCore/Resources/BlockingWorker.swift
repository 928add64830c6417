public import Concurrency

/// Runs blocking calls, one after the other, away from the cooperative pool.
///
/// A connection that is only touched inside `run` of one worker needs no lock of its own.
public protocol BlockingWorker: Sendable {
    /// Runs `body` after all earlier ones have returned. Once begun it is not interrupted by
    /// cancellation.
    func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T
}

/// Runs calls at once, where they are made: for stores that never wait (SQLite in memory, a
/// simulated world).
public struct InlineWorker: BlockingWorker {
    public init() {}
    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try body()
    }
}

extension WorkerThread: BlockingWorker {
    /// Runs `body` after all that was asked for earlier, without waiting for it.
    /// - Throws: ``PipelineError`` `no-thread`, retryable: the system gives no more threads. `body`
    ///   does not run then.
    public func enqueue(_ body: @escaping @Sendable () -> Void) throws(PipelineError) {
        do { try add(body) } catch { throw .retryable(.noThread, "\(error)", cause: error) }
    }

    /// - Throws: what `body` throws, and what ``enqueue(_:)`` does.
    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await suspended { (resumption: Resumption<T>) in
            do throws(PipelineError) {
                try enqueue { resumption.resume(with: Result(catching: body)) }
            } catch { resumption.resume(throwing: error) }
        }
    }

    /// Runs `body`; a cancellation ends the wait for it, not `body` itself.
    /// - Throws: what `body` throws, what ``enqueue(_:)`` does, and `CancellationError`.
    public func runAbandonably<T: Sendable>(
        _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        let result = FirstResult<T>()
        try enqueue { result.give(Result(catching: body)) }
        return try await withTaskCancellationHandler {
            try await result.wait()
        } onCancel: {
            result.give(.failure(CancellationError()))
        }
    }
}
