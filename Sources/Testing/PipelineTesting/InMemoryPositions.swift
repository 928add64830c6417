public import PipelineCore
internal import Synchronization

/// A position store without a disk, for tests: conditional like a real one, and it can be waited
/// for.
public final class InMemoryPositions: PositionStore {
    private struct Waiter {
        let id: UInt64
        let condition: @Sendable ([Int32: Int64]) -> Bool
        let source: String
        let resumption: Resumption<Void>
    }
    private struct State {
        var stored: [String: [Int32: Int64]] = [:]
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
        var reads = 0
    }
    private let state = Mutex(State())

    public init() {}

    public func positions(
        of source: String, initial: [Int32: Int64]
    ) async throws -> [Int32: Int64] {
        let (answer, woken) = state.withLock { state in
            state.reads += 1
            let merged = state.stored[source, default: [:]].merging(initial) { old, _ in old }
            state.stored[source] = merged
            return (merged.filter { initial[$0.key] != nil }, Self.takeReady(&state))
        }
        for waiter in woken { waiter.resume(returning: ()) }
        return answer
    }

    /// Takes every step in order, or none.
    ///
    /// - Throws: ``PipelineError`` `position-moved` (fenced) when one is not where `advances`
    ///   expects it.
    public func advance(_ advances: [PositionAdvance]) throws {
        let woken = try state.withLock { state in
            var stored = state.stored
            for advance in advances {
                let found = stored[advance.source]?[advance.partition]
                guard found == advance.expected else {
                    let place = "\(advance.source)[\(advance.partition)]"
                    throw PipelineError.fenced(
                        "position-moved",
                        "\(place) is at \(found.map(String.init) ?? "no position"), "
                            + "not at \(advance.expected)")
                }
                stored[advance.source]![advance.partition] = advance.next
            }
            state.stored = stored
            return Self.takeReady(&state)
        }
        for waiter in woken { waiter.resume(returning: ()) }
    }

    /// Puts a position where the test wants it.
    public func set(_ source: String, _ partition: Int32, to offset: Int64) {
        let woken = state.withLock { state in
            state.stored[source, default: [:]][partition] = offset
            return Self.takeReady(&state)
        }
        for waiter in woken { waiter.resume(returning: ()) }
    }

    /// What is stored of the source, by partition.
    public func stored(_ source: String) -> [Int32: Int64] {
        state.withLock { $0.stored[source] ?? [:] }
    }

    /// How often positions have been asked for.
    public var reads: Int { state.withLock { $0.reads } }

    /// Waits until what is stored of the source satisfies `condition`.
    /// - Throws: `CancellationError`.
    public func wait(
        for source: String, until condition: @escaping @Sendable ([Int32: Int64]) -> Bool
    ) async throws {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                let result: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if condition(state.stored[source] ?? [:]) { return .success(()) }
                    state.waiters.append(
                        Waiter(
                            id: id, condition: condition, source: source, resumption: resumption))
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

    private static func takeReady(_ state: inout State) -> [Resumption<Void>] {
        let stored = state.stored
        let ready = state.waiters.filter { $0.condition(stored[$0.source] ?? [:]) }
        state.waiters.removeAll { waiter in ready.contains { $0.id == waiter.id } }
        return ready.map(\.resumption)
    }
}
