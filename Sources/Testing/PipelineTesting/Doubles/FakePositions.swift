internal import Concurrency
public import PipelineCore
internal import Synchronization

/// A position store without a disk, for tests: conditional like a real one, and it can be waited
/// for.
public final class FakePositions: PositionStore {
    private struct Waiter {
        let id: UInt64
        let condition: @Sendable ([Int32: Int64]) -> Bool
        let source: String
        let resumption: Resumption<Void>
    }
    private struct State {
        var stored: [String: [Int32: Int64]] = [:]
        var witnesses: [String: [Int32: LogWitness]] = [:]
        /// The sources of logs, by their keys and by what they were called formerly.
        var sources: [String: String] = [:]
        var incarnations: [String: Int] = [:]
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
    }
    private let state = Mutex(State())

    public init() {}

    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        let (answer, woken) = state.withLock { state in
            let source = log.source(incarnation: state.incarnations[log.key] ?? 0)
            if state.sources[log.key] == nil, log.formerKey != log.key {
                state.stored[source] = state.stored.removeValue(forKey: log.formerKey)
            }
            state.sources[log.key] = source
            if log.formerKey != log.key { state.sources[log.formerKey] = source }
            let merged = state.stored[source, default: [:]].merging(initial) { old, _ in old }
            state.stored[source] = merged
            let witnesses = state.witnesses[source] ?? [:]
            let answer = StoredPositions(
                source: source, next: merged.filter { initial[$0.key] != nil },
                witnesses: witnesses.filter { initial[$0.key] != nil },
                partitions: Set(merged.keys))
            return (answer, Self.takeReady(&state))
        }
        for waiter in woken { waiter.resume(returning: ()) }
        return answer
    }

    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        state.withLock { state in
            let known = witnesses.filter { state.stored[source]?[$0.key] != nil }
            state.witnesses[source, default: [:]].merge(known) { _, new in new }
        }
    }

    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        let woken = state.withLock { state in
            let last = state.incarnations[log.key] ?? 0
            guard log.source(incarnation: last) == source else { return [Resumption<Void>]() }
            let new = log.source(incarnation: last + 1)
            state.incarnations[log.key] = last + 1
            state.stored[source] = nil
            state.witnesses[source] = nil
            state.stored[new] = starts
            state.sources[log.key] = new
            state.sources[log.formerKey] = new
            return Self.takeReady(&state)
        }
        for waiter in woken { waiter.resume(returning: ()) }
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
            let source = state.sources[source] ?? source
            state.stored[source, default: [:]][partition] = offset
            return Self.takeReady(&state)
        }
        for waiter in woken { waiter.resume(returning: ()) }
    }

    /// What is stored of the source, by partition.
    /// - Parameter source: a log's source, or what the log was called formerly: its topic.
    public func stored(_ source: String) -> [Int32: Int64] {
        state.withLock { Self.stored($0, source) }
    }

    /// What is kept to know the log by.
    /// - Parameter source: a log's source, or what the log was called formerly: its topic.
    public func witnesses(of source: String) -> [Int32: LogWitness] {
        state.withLock { $0.witnesses[$0.sources[source] ?? source] ?? [:] }
    }

    private static func stored(_ state: State, _ source: String) -> [Int32: Int64] {
        state.stored[state.sources[source] ?? source] ?? [:]
    }

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
                    if condition(Self.stored(state, source)) { return .success(()) }
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
        let ready = state.waiters.filter { $0.condition(stored(state, $0.source)) }
        state.waiters.removeAll { waiter in ready.contains { $0.id == waiter.id } }
        return ready.map(\.resumption)
    }
}

extension PositionStore {
    /// The offsets to read next in a log that has no other name.
    public func positions(
        of source: String, initial: [Int32: Int64]
    ) async throws -> [Int32: Int64] {
        try await positions(of: LogName(source), initial: initial).next
    }
}
