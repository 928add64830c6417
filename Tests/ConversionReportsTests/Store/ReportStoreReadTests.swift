import ConversionReports
import PipelineCore
import Testing

@Suite("Reports of a store")
struct ReportStoreReadTests {
    @Test(
        "equal a count of single events, whatever has been folded", arguments: StoreKind.allCases)
    func equalNaiveCounts(kind: StoreKind) async throws {
        try await kind.withStore { store in
            var counted = CountedEvents(seed: 42)
            for round in 0..<6 {
                for _ in 0..<3 { try await store.append(counted.make(300), advances: []) }
                // All folded, some folded, none of the last ones folded.
                if round % 3 != 2 {
                    _ = try await store.fold(limit: round % 3 == 0 ? 200 : 100_000)
                }
                let queries = (0..<512).map { _ in counted.query() }
                let reading = try await store.read(queries)
                try #require(reading.counts.count == queries.count)
                for (query, counts) in zip(queries, reading.counts) {
                    #expect(counts == counted.count(query), "\(query)")
                }
            }
        }
    }

    @Test("count an event at the start and none at the end", arguments: StoreKind.allCases)
    func halfOpen(kind: StoreKind) async throws {
        try await kind.withStore { store in
            // A day's begin, an hour's begin, and in between.
            let times = [0, CountedEvents.hour, CountedEvents.hour + 1_234_567].map {
                CountedEvents.start + CountedEvents.day + $0
            }
            for (index, time) in times.enumerated() {
                var batch = EventBatch()
                batch.append(
                    id: UUID(high: 0, low: UInt64(index)), kind: .view, productID: "p\(index)",
                    checkoutID: nil, occurredAt: Timestamp(microseconds: time))
                try await store.append(batch, advances: [])
            }
            for folding in [false, true] {
                if folding { _ = try await store.fold(limit: 1000) }
                for (index, time) in times.enumerated() {
                    let spans: [(Int64, Int64, Int64)] = [
                        (0, 1, 1), (-1, 0, 0), (-1, 1, 1), (1, 2, 0),
                        (0, CountedEvents.day, 1), (-CountedEvents.day, 0, 0),
                        (-2 * CountedEvents.day, 2 * CountedEvents.day, 1),
                        (0, 2 * CountedEvents.day, 1), (-2 * CountedEvents.day, 0, 0),
                    ]
                    let reading = try await store.read(
                        spans.map { from, to, _ in
                            ConversionQuery(
                                productID: "p\(index)", start: Timestamp(microseconds: time + from),
                                end: Timestamp(microseconds: time + to))
                        })
                    #expect(reading.counts.map(\.views) == spans.map { $0.2 })
                }
            }
        }
    }

    @Test("keep views and payments apart", arguments: StoreKind.allCases)
    func viewsAndPayments(kind: StoreKind) async throws {
        try await kind.withStore { store in
            var batch = EventBatch()
            let time = Timestamp(microseconds: CountedEvents.start + 5)
            batch.append(
                id: UUID(high: 0, low: 1), kind: .view, productID: "p", checkoutID: "c",
                occurredAt: time, count: 7)
            batch.append(
                id: UUID(high: 0, low: 2), kind: .payment, productID: "p", checkoutID: nil,
                occurredAt: time, count: 2)
            try await store.append(batch, advances: [])
            let query = { (checkout: String?, span: Int64) in
                ConversionQuery(
                    productID: "p", checkoutID: checkout,
                    start: Timestamp(microseconds: CountedEvents.start),
                    end: Timestamp(microseconds: CountedEvents.start + span))
            }
            // From single events, from hours, from days; all checkouts, one, an unknown one.
            for span in [10, CountedEvents.hour, CountedEvents.day] {
                for folding in [false, true] {
                    if folding { _ = try await store.fold(limit: 1000) }
                    let reading = try await store.read([
                        query(nil, span), query("c", span), query("d", span),
                    ])
                    #expect(
                        reading.counts == [
                            ConversionCounts(views: 7, payments: 2),
                            ConversionCounts(views: 7, payments: 0),
                            ConversionCounts(views: 0, payments: 0),
                        ])
                    #expect(reading.counts.map(\.ratio) == [3.5, nil, nil])
                }
            }
        }
    }

    @Test(
        "answer equal queries alike, and no query with the clock alone",
        arguments: StoreKind.allCases)
    func repeats(kind: StoreKind) async throws {
        try await kind.withStore { store in
            var counted = CountedEvents(seed: 7)
            try await store.append(counted.make(200), advances: [])
            let some = (0..<4).map { _ in counted.query() }
            let queries = (0..<40).map { some[$0 * 7 % 4] }
            let reading = try await store.read(queries)
            #expect(reading.counts == queries.map { counted.count($0) })
            let single = try await store.read(some)
            #expect(reading.rowsRead == single.rowsRead)
            #expect(single.rowsRead > 0)
            let none = try await store.read([])
            #expect(none.counts.isEmpty)
            #expect(none.dataAsOf >= reading.dataAsOf)
        }
    }

    @Test("find texts that hold what JSON and SQL quote", arguments: StoreKind.allCases)
    func quoting(kind: StoreKind) async throws {
        let names = ["\"", "\\", "'", "a\u{1}b", "\u{7f}", "日本", "🛒", "{}", "null", " ", "%"]
        try await kind.withStore { store in
            var batch = EventBatch()
            for (index, name) in names.enumerated() {
                batch.append(
                    id: UUID(high: 0, low: UInt64(index)), kind: .view, productID: name,
                    checkoutID: name, occurredAt: Timestamp(microseconds: CountedEvents.start),
                    count: Int32(index + 1))
            }
            try await store.append(batch, advances: [])
            let reading = try await store.read(
                names.map {
                    ConversionQuery(
                        productID: $0, checkoutID: $0,
                        start: Timestamp(microseconds: CountedEvents.start),
                        end: Timestamp(microseconds: CountedEvents.start + 1))
                })
            #expect(reading.counts.map(\.views) == names.indices.map { Int64($0 + 1) })
        }
    }

    @Test("cover times from 1970 to 9999", arguments: StoreKind.allCases)
    func allTimes(kind: StoreKind) async throws {
        try await kind.withStore { store in
            let last: Int64 = 253_402_300_799_999_999
            var batch = EventBatch()
            for (index, time) in [0, 951_782_400_000_000, last].enumerated() {
                batch.append(
                    id: UUID(high: 1, low: UInt64(index)), kind: .payment, productID: "p",
                    checkoutID: nil, occurredAt: Timestamp(microseconds: time))
            }
            try await store.append(batch, advances: [])
            for folding in [false, true] {
                if folding { _ = try await store.fold(limit: 1000) }
                let reading = try await store.read([
                    ConversionQuery(
                        productID: "p", start: Timestamp(microseconds: 0),
                        end: Timestamp(microseconds: last)),
                    ConversionQuery(
                        productID: "p", start: Timestamp(microseconds: 1),
                        end: Timestamp(microseconds: last + 1)),
                ])
                #expect(reading.counts.map(\.payments) == [2, 2])
            }
        }
    }
}
