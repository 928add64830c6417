internal import Synchronization

/// Wakes waiters when something may have changed: an auto-reset event. One that nobody waits for is
/// remembered once.
///
/// A hint and nothing more: who waits must look at the store again, and must look now and then
/// without one, since other processes send only their own.
public final class Signal: Sendable {
    private let waiters = Waiters()
    public init() {}

    /// Wakes every waiter; with none, the next one to wait goes on at once.
    public func send() {
        waiters.wake { isSent, hasWaiters in if !hasWaiters { isSent = true } }
    }

    /// Returns when it is sent next, or at once if one has been missed.
    /// - Throws: `CancellationError`.
    public func wait() async throws {
        try await waiters.wait { isSent in
            defer { isSent = false }
            return isSent
        }
    }

    /// Returns when it is sent next or at `deadline`, whichever comes first.
    /// - Throws: `CancellationError`.
    public func wait(until deadline: Instant, clock: PipelineClock) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await clock.sleep(until: deadline) }
            group.addTask { try await self.wait() }
            try await group.next()
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
        try Task.checkCancellation()
    }
}

/// Is set once and stays set: a stop that was asked for, a chunk that has settled. A manual-reset
/// event.
public final class AsyncEvent: Sendable {
    private let waiters = Waiters()
    public init() {}

    public var isSet: Bool { waiters.isSet }

    /// Lets everybody go on who waits, or ever will.
    public func set() {
        waiters.wake { isSet, _ in isSet = true }
    }

    /// Returns once it is set.
    /// - Throws: `CancellationError`.
    public func wait() async throws {
        try await waiters.wait { $0 }
    }
}

/// A state, and the tasks that wait until it lets them go on.
private struct Waiters: ~Copyable {
    private struct State {
        var isSet = false
        var nextID: UInt64 = 0
        var waiters: [(id: UInt64, resumption: Resumption<Void>)] = []
    }
    private let state = Mutex(State())

    var isSet: Bool { state.withLock { $0.isSet } }

    /// Wakes all who wait.
    ///
    /// - Parameter change: what the state is from now on, given whether somebody waits.
    func wake(_ change: (_ isSet: inout Bool, _ hasWaiters: Bool) -> Void) {
        let waiters = state.withLock { state in
            change(&state.isSet, !state.waiters.isEmpty)
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resumption.resume(returning: ()) }
    }

    /// Returns when woken, or at once.
    ///
    /// - Parameter goesOn: whether the state lets it go on at once; may change it.
    /// - Throws: `CancellationError`.
    func wait(unless goesOn: (_ isSet: inout Bool) -> Bool) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if goesOn(&state.isSet) { return .success(()) }
                    state.waiters.append((id, resumption))
                    return nil
                }
                if let result { resumption.resume(with: result) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.resumption.resume(throwing: CancellationError())
        }
    }
}
