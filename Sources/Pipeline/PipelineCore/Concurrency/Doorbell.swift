internal import Synchronization

/// Wakes waiters when something may have changed. A ring that nobody waits for is remembered once.
///
/// A hint and nothing more: who waits must look at the store again, and must look now and then without a ring,
/// since other processes ring only their own bells.
public final class Doorbell: Sendable {
    private struct State {
        var isRung = false
        var nextID: UInt64 = 0
        var waiters: [(id: UInt64, resumption: Resumption<Void>)] = []
    }
    private let state = Mutex(State())
    public init() {}

    /// Wakes every waiter; with none, the next one to wait goes on at once.
    public func ring() {
        let waiters = state.withLock { state in
            if state.waiters.isEmpty { state.isRung = true }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resumption.resume(returning: ()) }
    }

    /// Returns at the next ring, or at once if one has been missed.
    /// - Throws: `CancellationError`.
    public func wait() async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.isRung {
                        state.isRung = false
                        return .success(())
                    }
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

    /// Returns at the next ring or at `deadline`, whichever comes first.
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
