import ConversionReports
import PipelineCore
import PipelineTesting
import Testing

@Suite("Appending to a store")
struct ReportStoreAppendTests {
    let everything = ConversionQuery(
        productID: "p", start: Timestamp(microseconds: 0),
        end: Timestamp(microseconds: 253_402_300_799_000_000))

    func batch(_ count: Int = 1) -> EventBatch {
        var batch = EventBatch()
        for index in 0..<count {
            batch.append(
                id: UUID(high: 0, low: UInt64(index)), kind: .view, productID: "p",
                checkoutID: nil,
                occurredAt: Timestamp(microseconds: CountedEvents.start + Int64(index)))
        }
        return batch
    }

    func advance(
        _ expected: Int64, _ next: Int64, partition: Int32 = 0, source: String = "events"
    ) -> PositionAdvance {
        PositionAdvance(source: source, partition: partition, expected: expected, next: next)
    }

    func views(_ store: any ReportStore) async throws -> Int64 {
        try await store.read([everything]).counts[0].views
    }

    @Test(
        "stores a position first as given, and answers the stored one from then on",
        arguments: StoreKind.allCases)
    func positions(kind: StoreKind) async throws {
        try await kind.withStore { store in
            #expect(
                try await store.positions(of: "events", initial: [0: 5, 3: 0]) == [0: 5, 3: 0])
            #expect(
                try await store.positions(of: "events", initial: [0: 9, 1: 7]) == [0: 5, 1: 7])
            #expect(try await store.positions(of: "other", initial: [0: 1]) == [0: 1])
            try await store.append(batch(), advances: [advance(5, 6)])
            #expect(try await store.positions(of: "events", initial: [0: 0]) == [0: 6])
            #expect(try await store.positions(of: "other", initial: [0: 0]) == [0: 1])
        }
    }

    @Test("writes nothing for a process that has lost its input", arguments: StoreKind.allCases)
    func zombie(kind: StoreKind) async throws {
        try await kind.withStore { store in
            _ = try await store.positions(of: "events", initial: [0: 0, 1: 0])
            try await store.append(
                batch(3), advances: [advance(0, 3), advance(0, 2, partition: 1)])
            let stale: [[PositionAdvance]] = [
                [advance(0, 4)], [advance(1, 4)], [advance(4, 8)], [advance(2, 2)],
                // One of two has moved; one is unknown.
                [advance(3, 6), advance(0, 1, partition: 1)],
                [advance(3, 6), advance(2, 4, partition: 7)],
                [advance(3, 6), advance(0, 2, partition: 1)],
            ]
            for advances in stale {
                let error = await #expect(throws: PipelineError.self) {
                    try await store.append(batch(5), advances: advances)
                }
                #expect(error?.disposition == .fenced)
                #expect(error?.code == "position-moved")
            }
            #expect(try await views(store) == 3)
            let stored = try await store.positions(of: "events", initial: [0: 0, 1: 0])
            #expect(stored == [0: 3, 1: 2])
        }
    }

    @Test("counts a chunk once whose answer was lost", arguments: StoreKind.allCases)
    func repeated(kind: StoreKind) async throws {
        try await kind.withStore { store in
            _ = try await store.positions(of: "it's \\ 'quoted'", initial: [0: 0, 1: 10])
            let advances = [
                advance(0, 4, source: "it's \\ 'quoted'"),
                advance(10, 11, partition: 1, source: "it's \\ 'quoted'"),
            ]
            for _ in 0..<3 { try await store.append(batch(5), advances: advances) }
            #expect(try await views(store) == 5)
        }
    }

    @Test("advances a position without events", arguments: StoreKind.allCases)
    func onlyPositions(kind: StoreKind) async throws {
        try await kind.withStore { store in
            _ = try await store.positions(of: "events", initial: [0: 0])
            try await store.append(EventBatch(), advances: [advance(0, 4)])
            try await store.append(EventBatch(), advances: [])
            #expect(try await store.positions(of: "events", initial: [0: 0]) == [0: 4])
        }
    }

    @Test("appends each time without positions", arguments: StoreKind.allCases)
    func withoutPositions(kind: StoreKind) async throws {
        try await kind.withStore { store in
            for _ in 0..<2 { try await store.append(batch(4), advances: []) }
            #expect(try await views(store) == 8)
        }
    }

    @Test("can be migrated again, also by two at once", arguments: StoreKind.allCases)
    func migration(kind: StoreKind) async throws {
        try await kind.withStore { store in
            try await store.append(batch(2), advances: [])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<3 { group.addTask { try await store.migrate() } }
                try await group.waitForAll()
            }
            #expect(try await views(store) == 2)
        }
    }

    @Test("says how many deltas were folded, up to the limit", arguments: StoreKind.allCases)
    func folding(kind: StoreKind) async throws {
        try await kind.withStore { store in
            #expect(try await store.fold(limit: 10) == .folded(0))
            for _ in 0..<25 { try await store.append(batch(), advances: []) }
            #expect(try await store.fold(limit: 10) == .folded(10))
            #expect(try await store.unfolded(limit: 100) == 15)
            #expect(try await store.unfolded(limit: 7) == 7)
            #expect(try await store.fold(limit: 10) == .folded(10))
            #expect(try await store.fold(limit: 10) == .folded(5))
            #expect(try await store.unfolded(limit: 100) == 0)
            #expect(try await views(store) == 25)
        }
    }
}
