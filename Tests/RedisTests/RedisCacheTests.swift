import PipelineCore
import PipelineTesting
import Testing

@testable import Redis

@Suite("The Redis cache", .timeLimit(.minutes(2)))
struct RedisCacheTests {
    private let cache: RedisCache
    private let prefix = "test/\(RandomSource().uuid())/"

    init() throws { cache = try RedisCache(address: try sharedRedis()) }

    @Test(arguments: CacheConformance.checks)
    func keepsThePromisesOfACache(check: CacheConformance.Check) async throws {
        let cache = cache
        let subject = CacheConformance.Subject(
            cache: cache, keyPrefix: prefix, maxValueBytes: cache.maxValueBytes
        ) { key, _ in
            try await eventually { try await cache.get([key])[0] == nil }
        }
        try await check.run(subject)
        await cache.close()
    }

    @Test func sharesRoundTripsAmongTenThousandReaders() async throws {
        let count = 10_000
        let keys = (0..<count).map { "\(prefix)\($0)" }
        try await cache.set(
            keys.map {
                CacheEntry(key: $0, value: Bytes(Array($0.utf8)), timeToLive: .minutes(1))
            })
        let before = cache.statistics
        let cache = cache
        try await withThrowingTaskGroup(of: Void.self) { group in
            for key in keys {
                group.addTask {
                    let value = try #require(try await cache.get([key])[0])
                    #expect(String(decoding: value, as: UTF8.self) == key)
                }
            }
            try await group.waitForAll()
        }
        let after = cache.statistics
        #expect(after.commands - before.commands == UInt64(count))
        #expect((after.roundTrips - before.roundTrips) * 2 < UInt64(count))
        await cache.close()
    }

    @Test func takesAValueLongerThanAllowedForAMiss() async throws {
        let address = try sharedRedis()
        let small = try RedisCache(
            address: try #require(
                ResourceAddress(url: address.url, properties: ["max_value": "16B"])))
        let key = prefix + "long"
        for (count, isFound) in [(16, true), (17, false)] {
            let value = Bytes(repeating: 7, count: count)
            try await cache.set([CacheEntry(key: key, value: value, timeToLive: .minutes(1))])
            #expect(try await small.get([key]) == [isFound ? value : nil])
        }
        await small.close()
        await cache.close()
    }

    @Test func givesUpACallThatIsCancelledBeforeItIsSent() async throws {
        let cache = cache
        let key = prefix + "cancelled"
        await withThrowingTaskGroup(of: Void.self) { group in
            group.cancelAll()
            group.addTask { _ = try await cache.get([key]) }
            let result = await group.nextResult()
            #expect(throws: CancellationError.self) { try result?.get() }
        }
        await cache.close()
    }

    @Test func refusesCallsOnceItIsClosed() async throws {
        try await cache.probe()
        await cache.close()
        let error = try await #require(throws: PipelineError.self) {
            _ = try await cache.get(["key"])
        }
        #expect(error.code == "cache-closed")
    }
}
