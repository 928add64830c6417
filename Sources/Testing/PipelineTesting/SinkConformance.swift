public import PipelineCore

/// What every ``PipelineCore/RecordSink`` promises.
public struct RecordSinkConformance: Sendable {
    public typealias Check = ConformanceCheck<RecordSinkConformance>

    private let sink: any RecordSink
    private let record: @Sendable (_ number: Int) -> Record
    private let delivered: @Sendable () async throws -> Int

    /// - Parameters:
    ///   - sink: one that has delivered nothing yet.
    ///   - record: a record that the sink takes, another one for each number.
    ///   - delivered: how many records have arrived where the sink delivers to, repeats included.
    public init(
        _ sink: any RecordSink,
        record: @escaping @Sendable (_ number: Int) -> Record = { .testing($0) },
        delivered: @escaping @Sendable () async throws -> Int
    ) {
        self.sink = sink
        self.record = record
        self.delivered = delivered
    }

    /// All of them, each with a sink of its own.
    public static let checks: [Check] = [
        Check("has delivered a chunk when it returns, and leaves settling it to the chain") {
            suite in
            let settlement = try await suite.deliver(1...3)
            try requireEqual(try await suite.delivered(), 3, "how many records have arrived")
            try requireEqual(settlement.rejections.count, 0, "how many were refused")
        },
        Check("takes a chunk that has lost its records") { suite in
            _ = try await suite.deliver(1..<1)
            try requireEqual(try await suite.delivered(), 0, "how many records have arrived")
            _ = try await suite.deliver(1...2, from: 1)
            try requireEqual(try await suite.delivered(), 2, "how many records have arrived")
        },
        Check("takes a chunk again after a lost answer; with positions of its own it counts once") {
            suite in
            _ = try await suite.deliver(1...3)
            _ = try await suite.deliver(1...3)
            let expected = suite.sink.positions == nil ? 6 : 3
            try requireEqual(try await suite.delivered(), expected, "how many have arrived")
        },
        Check("moves its positions with what it delivers, if it keeps any") { suite in
            guard let positions = suite.sink.positions else { return }
            _ = try await suite.deliver(1...3)
            let stored = try await positions.positions(of: log, initial: [0: 0])
            try requireEqual(stored.next, [0: 3], "the positions")
        },
        Check("loses nothing when it is closed") { suite in
            _ = try await suite.deliver(1...3)
            await suite.sink.close()
            try requireEqual(try await suite.delivered(), 3, "how many records have arrived")
        },
    ]

    private static let log = LogName("conformance")

    /// Settles the chunk as a chain does once the sink has it.
    private func deliver(
        _ numbers: some Collection<Int>, from offset: Int64 = 0
    ) async throws -> RecordingSettlement {
        let stored = try await sink.positions?.positions(of: Self.log, initial: [0: 0])
        let (chunk, settlement) = Chunk.testing(
            numbers.map(record), of: stored?.source ?? Self.log.key, from: offset)
        try await sink.deliver(chunk)
        try require(!chunk.acknowledgement.isSettled, "a sink leaves settling to the chain")
        chunk.acknowledgement.settle(.acknowledged)
        return settlement
    }
}

/// What every ``PipelineCore/OutcomeSink`` promises.
public struct OutcomeSinkConformance: Sendable {
    public typealias Check = ConformanceCheck<OutcomeSinkConformance>

    private let sink: any OutcomeSink
    private let delivered: @Sendable () async throws -> [Bytes]

    /// - Parameters:
    ///   - sink: one that has delivered nothing yet.
    ///   - delivered: what has arrived where the sink delivers to, an entry for each outcome; a
    ///     repeat may replace what it repeats.
    public init(_ sink: any OutcomeSink, delivered: @escaping @Sendable () async throws -> [Bytes])
    {
        self.sink = sink
        self.delivered = delivered
    }

    /// All of them, each with a sink of its own.
    public static let checks: [Check] = [
        Check("has delivered a batch when it returns") { suite in
            let refused = try await suite.sink.deliver(suite.batch(1...3))
            try requireEqual(refused, [], "what was refused")
            try requireEqual(Set(try await suite.delivered()).count, 3, "how many have arrived")
        },
        Check("takes a batch without outcomes") { suite in
            let refused = try await suite.sink.deliver(suite.batch(1..<1))
            try requireEqual(refused, [], "what was refused")
            try requireEqual(try await suite.delivered(), [], "what has arrived")
        },
        Check("repeats a batch with the same bytes") { suite in
            _ = try await suite.sink.deliver(suite.batch(1...3))
            let first = Set(try await suite.delivered())
            _ = try await suite.sink.deliver(suite.batch(1...3))
            try requireEqual(Set(try await suite.delivered()), first, "what has arrived")
        },
        Check("lets readers find what it has delivered, if it lays outcomes out for them") {
            suite in
            guard let cache = suite.sink.outcomeCache else { return }
            _ = try await suite.sink.deliver(suite.batch(1...3))
            let found = await cache.lookup([.testing(2), .testing(9), .testing(1)])
            try requireEqual(found.map { $0 != nil }, [true, false, true], "which were found")
        },
        Check("loses nothing when it is closed") { suite in
            _ = try await suite.sink.deliver(suite.batch(1...3))
            await suite.sink.close()
            try requireEqual(Set(try await suite.delivered()).count, 3, "how many have arrived")
        },
    ]

    private func batch(_ numbers: some Collection<Int>) -> OutcomeBatch {
        OutcomeBatch(number: 1, token: 1, outcomes: numbers.map { .testing($0) })
    }
}
