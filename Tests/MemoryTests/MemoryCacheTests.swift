import Memory
import PipelineCore
import PipelineTesting
import Testing

@Suite("The memory cache")
struct MemoryCacheTests {
    /// What an entry of a one-byte key and a hundred bytes of value takes.
    private static let entryBytes = 1 + 100 + 160
    private let time = ManualClock()

    private func cache(entries: Int) -> MemoryCache {
        MemoryCache(capacityBytes: entries * Self.entryBytes, clock: time.clock)
    }

    private func entry(_ key: Character, timeToLive: Duration = .hours(1)) -> CacheEntry {
        CacheEntry(
            key: String(key), value: Bytes(repeating: 1, count: 100), timeToLive: timeToLive)
    }

    /// The keys among `all` that the cache still has; looking changes what it evicts next.
    private func kept(_ cache: MemoryCache, _ all: String) async throws -> String {
        let values = try await cache.get(all.map(String.init))
        return String(zip(all, values).filter { $0.1 != nil }.map(\.0))
    }

    @Test(arguments: CacheConformance.checks)
    func keepsThePromisesOfACache(check: CacheConformance.Check) async throws {
        let time = time
        let prefix = "check/"
        let cache = MemoryCache(capacityBytes: 1 << 20, clock: time.clock)
        let overhead = (prefix + "largest").utf8.count + 160
        let subject = CacheConformance.Subject(
            cache: cache, keyPrefix: prefix, maxValueBytes: (1 << 20) - overhead
        ) { _, timeToLive in time.advance(by: timeToLive) }
        try await check.run(subject)
    }

    @Test func servesAnEntryUntilTheInstantItExpires() async throws {
        let cache = cache(entries: 2)
        try await cache.set([entry("a", timeToLive: .seconds(5))])
        time.advance(by: .nanoseconds(4_999_999_999))
        #expect(try await kept(cache, "a") == "a")
        time.advance(by: .nanoseconds(1))
        #expect(try await kept(cache, "a") == "")
        #expect(cache.usedBytes == 0)
    }

    @Test func neverTakesMoreThanItsBytes() async throws {
        let cache = cache(entries: 10)
        for number in 0..<1000 {
            try await cache.set([
                CacheEntry(
                    key: "\(number)", value: Bytes(repeating: 0, count: number % 300),
                    timeToLive: .hours(1))
            ])
            #expect(cache.usedBytes <= cache.capacityBytes)
        }
        #expect(cache.usedBytes > cache.capacityBytes / 2)
    }

    @Test func doesNotKeepTheChunkThatAValueWasCutFrom() async throws {
        let cache = cache(entries: 1)
        let chunk = [UInt8](repeating: 1, count: 1 << 20)
        try await cache.set([CacheEntry(key: "a", value: chunk[500..<600], timeToLive: .hours(1))])
        let value = try #require(try await cache.get(["a"])[0])
        // A slice of the chunk would begin where it was cut.
        #expect(value.startIndex == 0)
        #expect(value.count == 100)
    }

    @Test func evictsTheOldestWhenNothingWasRead() async throws {
        let cache = cache(entries: 3)
        for key in "abcde" { try await cache.set([entry(key)]) }
        #expect(try await kept(cache, "abcde") == "cde")
    }

    @Test func keepsWhatWasReadSinceTheHandPassed() async throws {
        let cache = cache(entries: 3)
        for key in "abc" { try await cache.set([entry(key)]) }
        _ = try await cache.get(["a"])
        try await cache.set([entry("d")])
        try await cache.set([entry("e")])
        #expect(try await kept(cache, "abcde") == "ade")
    }

    @Test func findsAVictimWhenEverythingWasRead() async throws {
        let cache = cache(entries: 3)
        for key in "abc" { try await cache.set([entry(key)]) }
        _ = try await cache.get(["a", "b", "c"])
        try await cache.set([entry("d")])
        #expect(try await kept(cache, "abcd") == "bcd")
    }

    @Test func evictsTheExpiredEvenIfItWasRead() async throws {
        let cache = cache(entries: 2)
        try await cache.set([entry("a", timeToLive: .seconds(1)), entry("b")])
        _ = try await cache.get(["a"])
        time.advance(by: .seconds(2))
        try await cache.set([entry("c")])
        #expect(try await kept(cache, "abc") == "bc")
    }

    @Test func survivesExpiriesWhereTheHandStands() async throws {
        let cache = cache(entries: 4)
        var random = SplitMix64(seed: 7)
        let keys = Array("abcdefgh")
        for _ in 0..<5000 {
            let key = keys.randomElement(using: &random)!
            switch Int.random(in: 0..<4, using: &random) {
            case 0: time.advance(by: .seconds(1))
            case 1: _ = try await cache.get([String(key)])
            default:
                let timeToLive = Duration.seconds(Int.random(in: 1...8, using: &random))
                try await cache.set([entry(key, timeToLive: timeToLive)])
            }
            #expect(cache.usedBytes <= cache.capacityBytes)
        }
        time.advance(by: .seconds(8))
        _ = try await cache.get(keys.map(String.init))
        #expect(cache.usedBytes == 0)
    }

    @Test func readsItsSizeFromTheAddress() throws {
        let address = try #require(ResourceAddress(url: "memory:64MiB"))
        #expect(try MemoryCache(address: address, clock: .system).capacityBytes == 64 << 20)
    }

    @Test(arguments: ["memory:", "memory:64", "memory:64Mi", "memory:0MiB", "memory:-1MiB"])
    func refusesAMalformedSize(url: String) throws {
        let address = try #require(ResourceAddress(url: url))
        let error = try #require(throws: PipelineError.self) {
            try MemoryCache(address: address, clock: .system)
        }
        #expect(error.code == "invalid-resource")
        #expect(error.message.contains(url))
    }

    @Test func refusesProperties() throws {
        let address = try #require(
            ResourceAddress(url: "memory:1MiB", properties: ["policy": "lru"]))
        let error = try #require(throws: PipelineError.self) {
            try MemoryCache(address: address, clock: .system)
        }
        #expect(error.message.contains("\"policy\""))
    }
}
