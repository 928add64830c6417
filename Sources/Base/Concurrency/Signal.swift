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

    /// Returns once it is set, whether or not the task is cancelled: for the end of what can't be
    /// left half done.
    public func waitIgnoringCancellation() async {
        await waiters.waitIgnoringCancellation { $0 }
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
        let id = nextID()
        try await withTaskCancellationHandler {
            try await suspend(id) { isSet in
                if Task.isCancelled { return .failure(CancellationError()) }
                return goesOn(&isSet) ? .success(()) : nil
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.resumption.resume(throwing: CancellationError())
        }
    }

    /// Returns when woken, or at once; a cancellation changes nothing.
    func waitIgnoringCancellation(unless goesOn: (_ isSet: inout Bool) -> Bool) async {
        // Nobody but `wake` resumes it, and that never with an error.
        try? await suspend(nextID()) { goesOn(&$0) ? .success(()) : nil }
    }

    private func nextID() -> UInt64 {
        state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
    }

    /// Suspends the task, unless the state has a result for it at once.
    private func suspend(
        _ id: UInt64, unless result: (_ isSet: inout Bool) -> Result<Void, any Error>?
    ) async throws {
        try await suspended { (resumption: Resumption<Void>) in
            let result = state.withLock { state in
                let result = result(&state.isSet)
                if result == nil { state.waiters.append((id, resumption)) }
                return result
            }
            if let result { resumption.resume(with: result) }
        }
    }
}
