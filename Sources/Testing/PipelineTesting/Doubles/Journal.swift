internal import Concurrency
public import PipelineCore
internal import Synchronization

/// A double's state, which tests can wait for.
final class WaitedState<Value: Sendable>: Sendable {
    private struct Waiter {
        let id: UInt64
        let condition: @Sendable (Value) -> Bool
        let resumption: Resumption<Void>
    }
    private struct State {
        var value: Value
        var waiters: [Waiter] = []
        var lastID: UInt64 = 0
    }
    private let state: Mutex<State>

    init(_ value: Value) { state = Mutex(State(value: value)) }

    var value: Value { state.withLock { $0.value } }

    /// Changes the state, and lets those go on whose condition it satisfies now.
    func update<T: Sendable>(_ body: (inout Value) throws -> T) rethrows -> T {
        let (result, woken) = try state.withLock { state in
            let result = try body(&state.value)
            let ready = state.waiters.filter { $0.condition(state.value) }
            if !ready.isEmpty { state.waiters.removeAll { $0.condition(state.value) } }
            return (result, ready.map(\.resumption))
        }
        for waiter in woken { waiter.resume(returning: ()) }
        return result
    }

    /// Returns once the state satisfies `condition`.
    /// - Throws: `CancellationError`.
    func wait(until condition: @escaping @Sendable (Value) -> Bool) async throws {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if condition(state.value) { return .success(()) }
                    state.waiters.append(
                        Waiter(id: id, condition: condition, resumption: resumption))
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

/// What happened, in order, noted by doubles and waited for by tests.
public final class Journal<Entry: Sendable>: Sendable {
    private let state = WaitedState<[Entry]>([])
    public init() {}

    /// What was noted so far.
    public var entries: [Entry] { state.value }
    public var count: Int { state.value.count }

    public func note(_ entry: Entry) { state.update { $0.append(entry) } }

    /// Returns once there are as many entries, with all there are.
    /// - Throws: `CancellationError`.
    @discardableResult
    public func reaches(_ count: Int) async throws -> [Entry] {
        try await state.wait { $0.count >= count }
        return entries
    }
}

/// Errors that a fake throws, one a call, until there are no more.
public final class Failures: Sendable {
    private let left: Mutex<[PipelineError]>

    public init(_ errors: [PipelineError] = []) { left = Mutex(errors) }

    /// The next calls throw these.
    public func add(_ errors: PipelineError...) { left.withLock { $0 += errors } }

    /// Whether each has been thrown.
    public var isOver: Bool { left.withLock { $0.isEmpty } }

    /// Throws the next error, if one is left.
    public func throwNext() throws {
        let next = left.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if let next { throw next }
    }
}
