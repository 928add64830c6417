public import PipelineCore

/// What every ``PipelineCore/Transform`` promises.
public struct TransformConformance: Sendable {
    public typealias Check = ConformanceCheck<TransformConformance>

    private let make: @Sendable () throws -> any Transform
    private let record: @Sendable (_ number: Int) -> Record

    /// - Parameters:
    ///   - record: a record that the transform can read, another one for each number.
    ///   - make: a transform that nothing has gone through yet.
    public init(
        record: @escaping @Sendable (_ number: Int) -> Record = { .testing($0) },
        make: @escaping @Sendable () throws -> any Transform
    ) {
        self.record = record
        self.make = make
    }

    /// All of them, each with a transform of its own.
    public static let checks: [Check] = [
        Check("hands back the chunk, with its positions and its acknowledgement") { suite in
            let (chunk, settlement) = suite.chunk(1...5)
            let passed = try await suite.make().process(chunk)
            try requireEqual(passed.advances, chunk.advances, "the positions")
            try require(
                passed.acknowledgement === chunk.acknowledgement,
                "the acknowledgement is the chunk's own")
            try requireEqual(settlement.settlements.count, 0, "how often it settled")
            passed.acknowledgement.settle(.acknowledged)
        },
        Check("hands on a chunk that has lost its records: its positions advance with it") {
            suite in
            let (chunk, settlement) = suite.chunk(1..<1)
            let passed = try await suite.make().process(chunk)
            try requireEqual(passed.advances, chunk.advances, "the positions")
            try requireEqual(passed.records.count, 0, "how many records")
            try requireEqual(settlement.settlements.count, 0, "how often it settled")
            passed.acknowledgement.settle(.acknowledged)
        },
        Check("keeps the records' order and ordinals, and hands on none that it refuses") { suite in
            let (chunk, settlement) = suite.chunk(1...20)
            let passed = try await suite.make().process(chunk)
            let ordinals = passed.records.map(\.ordinal)
            try require(
                ordinals == Set(ordinals).sorted() && ordinals.allSatisfy((0..<20).contains),
                "the ordinals are those that came in, ascending; found \(ordinals)")
            let refused = Set(settlement.rejectedOrdinals)
            try require(refused.isDisjoint(with: ordinals), "none is refused and handed on")
            passed.acknowledgement.settle(.acknowledged)
        },
        Check("takes the next chunk while the one before has not settled") { suite in
            let transform = try suite.make()
            let first = try await transform.process(suite.chunk(1...3).chunk)
            let second = try await transform.process(suite.chunk(4...6).chunk)
            first.acknowledgement.settle(.acknowledged)
            second.acknowledgement.settle(.acknowledged)
        },
        Check("ends what it does beside the chunks when its task is cancelled") { suite in
            let transform = try suite.make()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do { try await transform.run() } catch is CancellationError {}
                }
                group.cancelAll()
                try await group.waitForAll()
            }
        },
    ]

    private func chunk(
        _ numbers: some Collection<Int>
    ) -> (chunk: Chunk, settlement: RecordingSettlement) {
        Chunk.testing(numbers.map(record), of: "topic", from: 10)
    }
}

extension Chunk {
    /// A chunk of those records with a position behind the last; one without records moves its
    /// position, too.
    static func testing(
        _ records: [Record], of source: String, from offset: Int64
    ) -> (chunk: Chunk, settlement: RecordingSettlement) {
        let settlement = RecordingSettlement()
        let numbered = records.enumerated().map { index, record in
            var record = record
            record.ordinal = index
            record.origin = Origin(source: source, offset: offset + Int64(index))
            return record
        }
        let advance = PositionAdvance(
            source: source, partition: 0, expected: offset,
            next: offset + Int64(max(1, records.count)))
        return (
            Chunk(
                records: numbered, advances: [advance], acknowledgement: Acknowledgement(settlement)
            ),
            settlement
        )
    }
}
