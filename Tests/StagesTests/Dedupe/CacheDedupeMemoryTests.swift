import Memory
import Concurrency
import Logging
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import Stages

/// A cache that can't be reached.
private struct FailingCache: Cache {
    static let error = PipelineError.retryable("cache-unavailable", "away")
    func get(_ keys: [String]) async throws -> [Bytes?] { throw Self.error }
    func set(_ entries: [CacheEntry]) async throws { throw Self.error }
    func probe() async throws { throw Self.error }
    func close() async {}
}

/// A cache in memory that notes what it is given, and lets nothing pass until its gate is open.
private final class RecordingCache: Cache {
    let kept: MemoryCache
    let writes = Journal<[String]>()
    let gate = AsyncEvent()
    init(clock: PipelineClock) { kept = MemoryCache(capacityBytes: 1 << 20, clock: clock) }
    func get(_ keys: [String]) async throws -> [Bytes?] { try await kept.get(keys) }
    func set(_ entries: [CacheEntry]) async throws {
        try await gate.wait()
        try await kept.set(entries)
        writes.note(entries.map(\.key))
    }
    func probe() async throws {}
    func close() async {}
}

@Suite("A dedupe that shares its memory in a cache", .timeLimit(.minutes(5)))
struct CacheDedupeMemoryTests {
    private let time = ManualClock()

    private let log = LogCapture()

    private func memory(_ cache: any Cache) -> CacheDedupeMemory {
        var context = StageContext.testing(clock: time.clock)
        context.logger = log.logger()
        return CacheDedupeMemory(
            cache: cache, prefix: "dedupe:p:s:", window: .seconds(60), context: context)
    }

    /// Runs a worker's dedupe beside `body`.
    private func working(
        _ worker: Deduplicator, _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await worker.run() } catch is CancellationError {} }
            try await body()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private func deduplicator(_ cache: any Cache) -> Deduplicator {
        Deduplicator(
            memory: memory(cache), passesUnsettled: false,
            key: { DedupeStage.Key.caseID.of($0) })
    }

    @Test("drops what this or another worker has settled, inside the window")
    func shared() async throws {
        let cache = RecordingCache(clock: time.clock)
        cache.gate.set()
        let (one, other) = (deduplicator(cache), deduplicator(cache))
        try await working(one) {
            let first = try await one.process(Chunk.testing([1]).chunk)
            first.acknowledgement.settle(.acknowledged)
            // The first worker gets nothing more to do: what it knows is there all the same.
            try await cache.writes.reaches(1)
        }
        #expect(try await other.process(Chunk.testing([1]).chunk).numbers == [])
        #expect(try await one.process(Chunk.testing([1, 2]).chunk).numbers == [2])
        #expect(try await other.process(Chunk.testing([1], content: 1).chunk).numbers == [1])
        time.advance(by: .seconds(60))
        #expect(try await other.process(Chunk.testing([1]).chunk).numbers == [1])
    }

    @Test("counts the window from the settlement, however late it is written")
    func lateWriting() async throws {
        let cache = RecordingCache(clock: time.clock)
        let (one, other) = (deduplicator(cache), deduplicator(cache))
        try await one.process(Chunk.testing([1]).chunk).acknowledgement.settle(.acknowledged)
        // Before it is written the worker itself knows it already.
        #expect(try await one.process(Chunk.testing([1]).chunk).numbers == [])
        time.advance(by: .seconds(59))
        cache.gate.set()
        try await working(one) { try await cache.writes.reaches(1) }
        #expect(try await other.process(Chunk.testing([1]).chunk).numbers == [])
        time.advance(by: .seconds(1))
        #expect(try await other.process(Chunk.testing([1]).chunk).numbers == [1])
    }

    @Test(
        "writes in the order of settlement, so many at once, and forgets the oldest beyond a bound")
    func order() async throws {
        let cache = RecordingCache(clock: time.clock)
        let memory = memory(cache)
        let keys = (0..<CacheDedupeMemory.maxUnwritten + 3).map {
            DedupeKey(high: 1, low: UInt64($0))
        }
        memory.remember(keys.map { ($0, Digest(high: 0, low: 0)) })
        cache.gate.set()
        let count = CacheDedupeMemory.maxUnwritten / CacheDedupeMemory.batchSize
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { do { try await memory.run() } catch is CancellationError {} }
            try await cache.writes.reaches(count)
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(
            cache.writes.entries.joined().elementsEqual(
                keys.dropFirst(3).map { "dedupe:p:s:\($0.text)" }))
    }

    @Test("lets everything go on when the cache's answer does not fit, and tells of it")
    func mismatch() async throws {
        let dedupe = deduplicator(ScriptedCache())
        try await working(dedupe) {
            let passed = try await dedupe.process(Chunk.testing([1, 2]).chunk)
            #expect(passed.numbers == [1, 2])
            passed.acknowledgement.settle(.acknowledged)
        }
        let error = log.events.first?.metadata["error"]?.description
        #expect(error?.contains("[cache-mismatch]") == true)
    }

    @Test("lets everything go on while the cache can't be reached")
    func unreachable() async throws {
        let dedupe = deduplicator(FailingCache())
        try await working(dedupe) {
            for _ in 0..<2 {
                let passed = try await dedupe.process(Chunk.testing([1, 2]).chunk)
                #expect(passed.numbers == [1, 2])
                passed.acknowledgement.settle(.acknowledged)
                for _ in 0..<500 { await Task.yield() }
            }
        }
        // Said once, not for each chunk.
        #expect(log.events.map(\.level) == [.warning])
        #expect(log.events.first?.metadata["error"]?.description == "away [cache-unavailable]")
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
