internal import Synchronization

/// Where a task runs that a task starts beside itself; `nil` is the default executor. A simulated
/// process sets its own: what it starts would leave it otherwise.
public enum OwnExecutor {
    @TaskLocal public static var current: (any TaskExecutor)?
}

/// Runs `body` in a task that this one's cancellation does not reach, and waits for it: for work
/// that has to come to its end (answering callers, settling, handing back) after a stop was asked
/// for.
public func withoutCancellation(_ body: @escaping @Sendable () async -> Void) async {
    // The one unstructured task: awaited at once, so it can't outlive its caller.
    await Task(executorPreference: OwnExecutor.current) { await body() }.value
}

extension ThrowingTaskGroup where Failure == any Error {
    /// Waits for all children, or for the first that fails: its error is thrown at once, so that
    /// leaving the group's scope cancels the others.
    ///
    /// `waitForAll()` waits for them before it throws; a child that never ends by itself would hide
    /// the failure of another for ever.
    public mutating func waitForAllOrFirstFailure() async throws {
        while try await next() != nil {}
    }
}

/// A result that several may give, for one who waits for it: the first counts.
public final class FirstResult<T: Sendable>: Sendable {
    private struct State {
        var resumption: Resumption<T>?
        var early: Result<T, any Error>?
        var isGiven = false
    }
    private let state = Mutex(State())
    public init() {}

    /// Later ones are nobody's.
    public func give(_ result: Result<T, any Error>) {
        let resumption = state.withLock { state -> Resumption<T>? in
            if state.isGiven { return nil }
            state.isGiven = true
            if state.resumption == nil { state.early = result }
            return state.resumption.take()
        }
        resumption?.resume(with: result)
    }

    /// Returns once it is given, whether or not the task is cancelled. Once only.
    /// - Throws: what was given.
    public func wait() async throws -> T {
        try await suspended { (resumption: Resumption<T>) in
            let early = state.withLock { state -> Result<T, any Error>? in
                if state.early == nil { state.resumption = resumption }
                return state.early
            }
            if let early { resumption.resume(with: early) }
        }
    }
}

/// Answers with what `body` does, or with `nil` once `limit` has ended before it: `body` is
/// cancelled then, and left to itself. For what may hang in a library that can't be told to stop.
public func abandoned<Value: Sendable>(
    after limit: @escaping @Sendable () async throws -> Void,
    _ body: @escaping @Sendable () async -> Value
) async -> Value? {
    // A task group would wait for the loser: these two tasks are free.
    let first = FirstResult<Value?>()
    let work = Task { first.give(.success(await body())) }
    let clock = Task {
        do { try await limit() } catch { return }
        first.give(.success(nil))
    }
    defer {
        work.cancel()
        clock.cancel()
    }
    // No error is given.
    return try? await first.wait()
}

/// What has begun and not ended yet, by name: so that who has to end a process can say what hangs.
public final class OpenWork: Sendable {
    private struct State {
        var nextNumber: UInt64 = 0
        var names: [UInt64: String] = [:]
    }
    private let state = Mutex(State())
    public init() {}

    /// The names of what is open, the oldest first.
    public var names: [String] {
        state.withLock { $0.names.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// Runs `body`, which is open meanwhile.
    public func during<T: Sendable>(
        _ name: String, _ body: () async throws -> T
    ) async rethrows -> T {
        let number = state.withLock { state in
            state.nextNumber += 1
            state.names[state.nextNumber] = name
            return state.nextNumber
        }
        defer { state.withLock { _ = $0.names.removeValue(forKey: number) } }
        return try await body()
    }
}

/// A suspended task, resumed exactly once by whoever removed it from the state that holds it (the
/// proof is the removal, under the lock). A checked one would complain for every killed simulated
/// process.
@safe public struct Resumption<T: Sendable>: Sendable {
    private let continuation: UnsafeContinuation<T, any Error>
    public func resume(with result: Result<T, any Error>) {
        unsafe continuation.resume(with: result)
    }
    public func resume(returning value: T) { unsafe continuation.resume(returning: value) }
    public func resume(throwing error: any Error) { unsafe continuation.resume(throwing: error) }
    fileprivate init(_ continuation: UnsafeContinuation<T, any Error>) {
        unsafe self.continuation = continuation
    }
}

/// Suspends the task until `body`'s resumption is resumed.
public func suspended<T: Sendable>(_ body: (Resumption<T>) -> Void) async throws -> T {
    unsafe try await withUnsafeThrowingContinuation { unsafe body(Resumption($0)) }
}
