public import PipelineCore

/// What every ``PositionStore`` must do, as checks to be run against each implementation.
public struct PositionConformance: Sendable {
    public typealias Check = ConformanceCheck<PositionConformance>

    private let store: any PositionStore
    private let advance: @Sendable ([PositionAdvance]) async throws -> Void
    private let keepAsFormerly: @Sendable (_ source: String, [Int32: Int64]) async throws -> Void

    /// - Parameters:
    ///   - store: a fresh one.
    ///   - advance: moves positions in it, as the stage does that settles.
    ///   - keepAsFormerly: writes positions as versions did that knew no logs, under a topic's
    ///     name.
    public init(
        _ store: any PositionStore,
        advance: @escaping @Sendable ([PositionAdvance]) async throws -> Void,
        keepAsFormerly: @escaping @Sendable (String, [Int32: Int64]) async throws -> Void
    ) {
        self.store = store
        self.advance = advance
        self.keepAsFormerly = keepAsFormerly
    }

    private static let (here, there) = (
        LogName("kafka:one/requests", formerly: "requests"),
        LogName("kafka:two/requests", formerly: "requests")
    )

    public static let checks: [Check] = logs + restarts

    private static let logs: [Check] = [
        Check("two logs of one name have positions of their own") { suite in
            let first = try await suite.store.positions(of: here, initial: [0: 0, 1: 5])
            let second = try await suite.store.positions(of: there, initial: [0: 0])
            try requireEqual(first.next, [0: 0, 1: 5])
            try await suite.advance([
                PositionAdvance(source: first.source, partition: 0, expected: 0, next: 25)
            ])
            try requireEqual(
                try await suite.store.positions(of: there, initial: [0: 9]).next, [0: 0])
            try await suite.advance([
                PositionAdvance(source: second.source, partition: 0, expected: 0, next: 7)
            ])
            let again = try await suite.store.positions(of: here, initial: [0: 9])
            try requireEqual(again.next, [0: 25], "the first log's position")
            try requireEqual(again.partitions, [0, 1], "all its partitions")
        },
        Check("positions of earlier versions are taken over by the first log of their topic") {
            suite in
            try await suite.keepAsFormerly("requests", [0: 40, 1: 50])
            try await suite.keepAsFormerly("others", [0: 8])
            let first = try await suite.store.positions(of: here, initial: [0: 0, 1: 0, 2: 3])
            try requireEqual(first.next, [0: 40, 1: 50, 2: 3], "positions taken over")
            try requireEqual(first.witnesses, [:], "witnesses")
            try requireEqual(
                try await suite.store.positions(of: there, initial: [0: 1]).next, [0: 1],
                "positions of a second log of that name")
            try await suite.advance([
                PositionAdvance(source: first.source, partition: 0, expected: 40, next: 41)
            ])
            try requireEqual(
                try await suite.store.positions(of: here, initial: [0: 0]).next, [0: 41])
            let file = LogName("file:requests.jsonl")
            try await suite.keepAsFormerly(file.key, [0: 77])
            let taken = try await suite.store.positions(of: file, initial: [0: 0])
            try requireEqual(taken.next, [0: 77], "the position of a log that keeps its name")
        },
        Check("what tells a log from others is kept and told") { suite in
            let stored = try await suite.store.positions(of: here, initial: [0: 3, 1: 0])
            _ = try await suite.store.positions(of: there, initial: [0: 0])
            let witness = LogWitness(offset: 2, digest: .max - 5)
            try await suite.store.keep(
                [0: witness, 9: LogWitness(offset: 1, digest: 1)], of: stored.source)
            let told = try await suite.store.positions(of: here, initial: [0: 0, 1: 0])
            try requireEqual(told.witnesses, [0: witness], "witnesses")
            try requireEqual(told.partitions, [0, 1], "partitions with a position")
            try await suite.advance([
                PositionAdvance(source: stored.source, partition: 0, expected: 3, next: 9)
            ])
            let moved = try await suite.store.positions(of: here, initial: [0: 0])
            try requireEqual(moved.next, [0: 9])
            try requireEqual(moved.witnesses, [0: witness], "a witness after an advance")
            try requireEqual(
                try await suite.store.positions(of: there, initial: [0: 0]).witnesses, [:],
                "witnesses of another log")
        },
    ]

    private static let restarts: [Check] = [
        Check("another log of the name begins at its start, and fences who reads the old one") {
            suite in
            let old = try await suite.store.positions(of: here, initial: [0: 450, 1: 20])
            try await suite.store.keep([0: LogWitness(offset: 449, digest: 1)], of: old.source)
            try await suite.store.restart(here, after: old.source, at: [0: 0, 2: 4])
            let new = try await suite.store.positions(of: here, initial: [0: 9, 2: 9])
            try requireEqual(new.next, [0: 0, 2: 4], "where the new log is read from")
            try requireEqual(new.witnesses, [:], "witnesses of the new log")
            try requireEqual(new.partitions, [0, 2], "partitions of the new log")
            try require(new.source != old.source, "both have one source")
            for position in [Int64(450), 0] {
                try await requireError(.fenced, "position-moved") {
                    try await suite.advance([
                        PositionAdvance(
                            source: old.source, partition: 0, expected: position,
                            next: position + 1)
                    ])
                }
            }
            try await suite.advance([
                PositionAdvance(source: new.source, partition: 0, expected: 0, next: 3)
            ])
            try await suite.store.restart(here, after: old.source, at: [0: 0])
            let same = try await suite.store.positions(of: here, initial: [0: 0])
            try requireEqual(same.next, [0: 3], "the position after somebody else's late restart")
            try requireEqual(same.source, new.source)
            try await suite.store.restart(here, after: new.source, at: [0: 1])
            try requireEqual(
                try await suite.store.positions(of: here, initial: [0: 0]).next, [0: 1])
        }
    ]
}
