public import PipelineCore

/// A position store without a disk, for tests: conditional like a real one, and it can be waited
/// for.
public final class FakePositions: PositionStore {
    private struct State {
        var stored: [String: [Int32: Int64]] = [:]
        var witnesses: [String: [Int32: LogWitness]] = [:]
        /// The sources of logs, by their keys and by what they were called formerly.
        var sources: [String: String] = [:]
        var incarnations: [String: Int] = [:]
    }
    private let state = WaitedState(State())

    public init() {}

    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        state.update { state in
            let source = log.source(incarnation: state.incarnations[log.key] ?? 0)
            if state.sources[log.key] == nil, log.formerKey != log.key {
                state.stored[source] = state.stored.removeValue(forKey: log.formerKey)
            }
            state.sources[log.key] = source
            if log.formerKey != log.key { state.sources[log.formerKey] = source }
            let merged = state.stored[source, default: [:]].merging(initial) { old, _ in old }
            state.stored[source] = merged
            let witnesses = state.witnesses[source] ?? [:]
            return StoredPositions(
                source: source, next: merged.filter { initial[$0.key] != nil },
                witnesses: witnesses.filter { initial[$0.key] != nil },
                partitions: Set(merged.keys))
        }
    }

    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        state.update { state in
            let known = witnesses.filter { state.stored[source]?[$0.key] != nil }
            state.witnesses[source, default: [:]].merge(known) { _, new in new }
        }
    }

    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        state.update { state in
            let last = state.incarnations[log.key] ?? 0
            guard log.source(incarnation: last) == source else { return }
            let new = log.source(incarnation: last + 1)
            state.incarnations[log.key] = last + 1
            state.stored[source] = nil
            state.witnesses[source] = nil
            state.stored[new] = starts
            state.sources[log.key] = new
            state.sources[log.formerKey] = new
        }
    }

    /// Takes every step in order, or none.
    ///
    /// - Throws: ``PipelineError`` `position-moved` (fenced) when one is not where `advances`
    ///   expects it.
    public func advance(_ advances: [PositionAdvance]) throws {
        try state.update { state in
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
        }
    }

    /// Puts a position where the test wants it.
    public func set(_ source: String, _ partition: Int32, to offset: Int64) {
        state.update { state in
            let source = state.sources[source] ?? source
            state.stored[source, default: [:]][partition] = offset
        }
    }

    /// What is stored of the source, by partition.
    /// - Parameter source: a log's source, or what the log was called formerly: its topic.
    public func stored(_ source: String) -> [Int32: Int64] {
        Self.stored(state.value, source)
    }

    /// What is kept to know the log by.
    /// - Parameter source: a log's source, or what the log was called formerly: its topic.
    public func witnesses(of source: String) -> [Int32: LogWitness] {
        let state = state.value
        return state.witnesses[state.sources[source] ?? source] ?? [:]
    }

    private static func stored(_ state: State, _ source: String) -> [Int32: Int64] {
        state.stored[state.sources[source] ?? source] ?? [:]
    }

    /// Waits until what is stored of the source satisfies `condition`.
    /// - Throws: `CancellationError`.
    public func wait(
        for source: String, until condition: @escaping @Sendable ([Int32: Int64]) -> Bool
    ) async throws {
        try await state.wait { condition(Self.stored($0, source)) }
    }
}

/// Positions that fail at first, and are a fake's then.
public final class FailingPositions: PositionStore {
    /// What is kept after all.
    public let stored = FakePositions()
    /// What asking for positions fails with.
    private let reading: Failures
    /// What keeping the first witnesses fails with.
    private let keeping: Failures

    public init(reading: Failures = Failures(), keeping: Failures = Failures()) {
        self.reading = reading
        self.keeping = keeping
    }

    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        try reading.throwNext()
        return try await stored.positions(of: log, initial: initial)
    }

    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        if !witnesses.isEmpty { try keeping.throwNext() }
        try await stored.keep(witnesses, of: source)
    }

    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws { try await stored.restart(log, after: source, at: starts) }
}

extension PositionStore {
    /// The offsets to read next in a log that has no other name.
    public func positions(
        of source: String, initial: [Int32: Int64]
    ) async throws -> [Int32: Int64] {
        try await positions(of: LogName(source), initial: initial).next
    }
}
