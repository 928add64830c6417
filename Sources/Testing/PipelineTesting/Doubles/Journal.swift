internal import Concurrency
public import PipelineCore
internal import Synchronization

/// What happened, in order, noted by doubles and waited for by tests.
public final class Journal<Entry: Sendable>: Sendable {
    private struct Waiter {
        let id: UInt64
        let count: Int
        let resumption: Resumption<Void>
    }
    private struct State {
        var entries: [Entry] = []
        var waiters: [Waiter] = []
        var lastID: UInt64 = 0
    }
    private let state = Mutex(State())
    public init() {}

    /// What was noted so far.
    public var entries: [Entry] { state.withLock { $0.entries } }
    public var count: Int { state.withLock { $0.entries.count } }

    public func note(_ entry: Entry) {
        let woken = state.withLock { state in
            state.entries.append(entry)
            let ready = state.waiters.filter { $0.count <= state.entries.count }
            state.waiters.removeAll { $0.count <= state.entries.count }
            return ready
        }
        for waiter in woken { waiter.resumption.resume(returning: ()) }
    }

    /// Returns once there are as many entries, with all there are.
    /// - Throws: `CancellationError`.
    @discardableResult
    public func reaches(_ count: Int) async throws -> [Entry] {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if state.entries.count >= count { return .success(()) }
                    state.waiters.append(Waiter(id: id, count: count, resumption: resumption))
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
        return entries
    }
}

/// Errors that a fake throws, one a call, until there are no more.
public final class Failures: Sendable {
    private let left: Mutex<[PipelineError]>

    public init(_ errors: [PipelineError] = []) { left = Mutex(errors) }

    /// The next calls throw these.
    public func add(_ errors: PipelineError...) { left.withLock { $0 += errors } }

    /// Throws the next error, if one is left.
    public func throwNext() throws {
        let next = left.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if let next { throw next }
    }
}
