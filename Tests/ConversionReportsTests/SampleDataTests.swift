import ConversionReports
import PipelineCore
import Synchronization
import Testing

@Suite("Sample data")
struct SampleDataTests {
    static func data(seed: UInt64 = 5, chunkSize: Int = 700) -> SampleData {
        SampleData(
            seed: seed, products: 50, checkouts: 2,
            start: Timestamp(microseconds: CountedEvents.start), days: 8, viewsPerDay: 1000,
            paymentsPerDay: 40, chunkSize: chunkSize)
    }

    static func text(_ data: SampleData) throws -> String {
        var text: [UInt8] = []
        for chunk in data { try chunk.writeJSONLines(to: &text) }
        return String(decoding: text, as: UTF8.self)
    }

    static func events(_ data: SampleData) throws -> [Record] {
        var records = try text(data).split(separator: "\n").map { Record.of(String($0)) }
        let rejections = ConversionEventDecoder().decode(
            &records, stage: "in", now: Timestamp(microseconds: 0))
        #expect(rejections.isEmpty)
        return records
    }

    @Test("is decided by its seed, whatever the size of chunks")
    func deterministic() throws {
        let text = try Self.text(Self.data())
        #expect(try text == Self.text(Self.data()))
        #expect(try text == Self.text(Self.data(chunkSize: 33)))
        #expect(try text != Self.text(Self.data(seed: 6)))
    }

    @Test("has exactly the wanted events, in order of time, in bounded chunks, every id once")
    func exact() throws {
        let data = Self.data()
        #expect(data.allSatisfy { $0.count <= 700 && !$0.isEmpty })
        let lines = try Self.text(data).split(separator: "\n")
        #expect(lines.count == 8320 && data.eventCount == 8320)
        #expect(lines.count { $0.contains("\"PAYMENT\"") } == 320)
        let times = lines.map { $0.split(separator: "\"occurred_at\":\"")[1].prefix(24) }
        #expect(zip(times, times.dropFirst()).allSatisfy { $0.prefix(19) <= $1.prefix(19) })
        #expect(times.first!.hasPrefix("2026-10-28T00:"))
        #expect(times.last!.hasPrefix("2026-11-04T23:"))
        #expect(Set(try Self.events(data).map(\.id)).count == 8320)
    }

    @Test("favours some products and the day over the night")
    func skewed() throws {
        let lines = try Self.text(Self.data()).split(separator: "\n")
        let first = lines.count { $0.contains("\"product-1\"") }
        let last = lines.count { $0.contains("\"product-50\"") }
        #expect(first > 10 * last && last > 0)
        let night = lines.count { $0.contains("T03:") }
        let evening = lines.count { $0.contains("T20:") }
        #expect(evening > 5 * night && night > 0)
        #expect(lines.contains { !$0.contains("checkout_id") })
        #expect(lines.contains { $0.contains("\"checkout-2\"") })
    }

    @Test("is the same in a store and in the lines written", arguments: StoreKind.allCases)
    func load(kind: StoreKind) async throws {
        try await kind.withStore { store in
            let lines = Mutex<[UInt8]>([])
            let steps = Mutex<[Int]>([])
            let loader = SampleLoader(
                store: store, emit: { bytes in lines.withLock { $0 += bytes } },
                progress: { progress in steps.withLock { $0.append(progress.events) } })
            try await loader.load(Self.data())
            #expect(
                lines.withLock { String(decoding: $0, as: UTF8.self) }
                    == (try Self.text(Self.data())))
            #expect(steps.withLock { $0 } == Array(stride(from: 700, to: 8320, by: 700)) + [8320])
            let all = (1...50).map {
                ConversionQuery(
                    productID: "product-\($0)", start: Timestamp(microseconds: CountedEvents.start),
                    end: Timestamp(microseconds: CountedEvents.start + 8 * CountedEvents.day))
            }
            let counts = try await store.read(all).counts
            #expect(counts.map(\.views).reduce(0, +) == 8000)
            #expect(counts.map(\.payments).reduce(0, +) == 320)
        }
    }
}
