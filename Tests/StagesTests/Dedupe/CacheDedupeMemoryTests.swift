import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

/// A cache that can't be reached.
private struct UnreachableCache: Cache {
    static let error = PipelineError.retryable("cache-unavailable", "away")
    func get(_ keys: [String]) async throws -> [Bytes?] { throw Self.error }
    func set(_ entries: [CacheEntry]) async throws { throw Self.error }
    func setIfAbsent(_ entries: [CacheEntry]) async throws -> [Bool] { throw Self.error }
    func remove(_ keys: [String]) async throws { throw Self.error }
    func probe() async throws { throw Self.error }
    func close() async {}
}

@Suite("A dedupe that shares its memory in a cache", .timeLimit(.minutes(5)))
struct CacheDedupeMemoryTests {
    private let time = ManualClock()

    private func memory(_ cache: any Cache) -> CacheDedupeMemory {
        CacheDedupeMemory(
            cache: cache, prefix: "dedupe:p:s:", window: .seconds(60),
            logger: StageContext.testing(clock: time.clock).logger)
    }

    private func deduplicator(_ cache: any Cache) -> Deduplicator {
        Deduplicator(
            memory: memory(cache), passesUnsettled: false,
            key: { DedupeStage.Key.caseID.of($0) })
    }

    @Test("drops what this or another worker has settled, inside the window")
    func shared() async throws {
        let cache = MemoryCache(capacityBytes: 1 << 20, clock: time.clock)
        let (one, other) = (deduplicator(cache), deduplicator(cache))
        let first = try await one.process(Chunk.testing([1]).chunk)
        first.delivery.settle(.acknowledged)
        #expect(try await one.process(Chunk.testing([1, 2]).chunk).numbers == [2])
        #expect(try await other.process(Chunk.testing([1]).chunk).numbers == [])
        #expect(try await other.process(Chunk.testing([1], content: 1).chunk).numbers == [1])
        time.advance(by: .seconds(60))
        #expect(try await other.process(Chunk.testing([1]).chunk).numbers == [1])
    }

    @Test("lets everything go on while the cache can't be reached")
    func unreachable() async throws {
        let dedupe = deduplicator(UnreachableCache())
        for _ in 0..<2 {
            let passed = try await dedupe.process(Chunk.testing([1, 2]).chunk)
            #expect(passed.numbers == [1, 2])
            passed.delivery.settle(.acknowledged)
        }
    }

    @Test("takes a foreign value under its key for nothing")
    func foreign() async throws {
        let cache = MemoryCache(capacityBytes: 1 << 20, clock: time.clock)
        let key = DedupeKey(high: 0x7E57, low: 1)
        try await cache.set([
            CacheEntry(key: "dedupe:p:s:\(key.text)", value: [1, 2], timeToLive: .seconds(60))
        ])
        #expect(await memory(cache).recall([key]) == [nil])
    }
}
