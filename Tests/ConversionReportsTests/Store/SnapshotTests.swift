import ConversionReports
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

final class Flag: Sendable {
    private let value = Atomic(false)
    var isRaised: Bool { value.load(ordering: .acquiring) }
    func raise() { value.store(true, ordering: .releasing) }
}

/// Every chunk adds the same to every query, so that all answers of one snapshot stand for the same
/// number of chunks.
@Suite("A reading is one snapshot")
struct SnapshotTests {
    static let chunks = 150
    static let start = CountedEvents.start

    /// Times in an edge, in whole hours and in a whole day of the longest query.
    static let times: [Int64] = [
        start + 10, start + CountedEvents.hour + 7, start + CountedEvents.day + 3,
        start + CountedEvents.day + 5 * CountedEvents.hour,
        start + 2 * CountedEvents.day + CountedEvents.hour,
        start + 2 * CountedEvents.day
            + 2 * CountedEvents.hour + 1,
    ]

    static func chunk(_ number: Int) -> EventBatch {
        var batch = EventBatch()
        for (index, time) in times.enumerated() {
            for (product, count) in [("a", 1), ("b", 2)] {
                for kind in EventKind.allCases {
                    batch.append(
                        id: UUID(high: UInt64(number), low: UInt64(index)), kind: kind,
                        productID: product, checkoutID: index % 2 == 0 ? "x" : nil,
                        occurredAt: Timestamp(microseconds: time), count: Int32(count))
                }
            }
        }
        return batch
    }

    /// Queries and what one chunk adds to them.
    static let queries: [(ConversionQuery, Int64)] = ["a", "b"].flatMap { product in
        let each: Int64 = product == "a" ? 1 : 2
        let spans: [(Int64, Int64, Int64)] = [
            (start + 1, times[5] + 1, 6), (start + 11, times[5], 4),
            (start, start + CountedEvents.hour, 1), (times[2], times[2] + 1, 1),
            (start, start + 3 * CountedEvents.day, 6),
            (start + CountedEvents.day, start + 2 * CountedEvents.day, 2),
        ]
        return spans.map { from, to, events in
            let query = ConversionQuery(
                productID: product, start: Timestamp(microseconds: from),
                end: Timestamp(microseconds: to))
            return (query, events * each)
        }
    }

    @Test(
        "while an ingester, a zombie and folders are at work", arguments: StoreKind.allCases)
    func neverTears(kind: StoreKind) async throws {
        try await kind.withStore { store in
            _ = try await store.positions(of: "events", initial: [0: 0])
            let isDone = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { isDone.raise() }
                    for number in 0..<Self.chunks {
                        try await store.append(
                            Self.chunk(number), advances: [Self.advance(to: number + 1)])
                    }
                }
                for limit in [7, 40] {
                    group.addTask {
                        while !isDone.isRaised {
                            _ = try await store.fold(limit: limit)
                        }
                    }
                }
                group.addTask { try await Self.haunt(store, until: isDone) }
                try await checkReadings(of: store, until: isDone)
                try await group.waitForAll()
            }
            let final = try await store.read(Self.queries.map(\.0))
            for (counts, (_, each)) in zip(final.counts, Self.queries) {
                #expect(counts.views == each * Int64(Self.chunks))
            }
        }
    }

    private func checkReadings(of store: any ReportStore, until isDone: Flag)
        async throws
    {
        var last: Int64 = 0
        var readings = 0
        while !isDone.isRaised {
            let reading = try await store.read(Self.queries.map(\.0))
            let chunks = reading.counts[0].views / Self.queries[0].1
            for (counts, (query, each)) in zip(reading.counts, Self.queries) {
                #expect(counts.views == each * chunks, "\(query)")
                #expect(counts.payments == each * chunks, "\(query)")
            }
            #expect(chunks >= last)
            last = chunks
            readings += 1
        }
        #expect(readings > 3)
    }

    /// A process that believes to be the owner of a position it read long ago.
    private static func haunt(_ store: any ReportStore, until isDone: Flag) async throws {
        while !isDone.isRaised {
            let error = await #expect(throws: PipelineError.self) {
                try await store.append(
                    Self.chunk(Self.chunks),
                    advances: [
                        PositionAdvance(source: "events", partition: 0, expected: -5, next: -4)
                    ])
            }
            #expect(error?.disposition == .fenced)
        }
    }

    private static func advance(to next: Int) -> PositionAdvance {
        PositionAdvance(
            source: "events", partition: 0, expected: Int64(next - 1), next: Int64(next))
    }
}
