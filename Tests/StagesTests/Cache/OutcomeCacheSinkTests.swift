import ConfigurationFields
import Logging
import Memory
import PipelineCore
import PipelineTesting
@testable import Stages
import Testing

@Suite("A cache of outcomes", .timeLimit(.minutes(5)))
struct OutcomeCacheSinkTests {
    private let time = ManualClock()

    private let log = LogCapture()
    private let counted = Journal<String>()

    private func sink(
        _ cache: any Cache, retention: Duration? = nil, timeToLive: Duration = .seconds(60)
    ) -> OutcomeCacheSink {
        var context = StageContext.testing(clock: time.clock, stage: "answers")
        context.logger = log.logger()
        context.retention = retention
        context.meter = { [counted] stage, counter in
            { counted.note("\(stage) \(counter.name) \($0)") }
        }
        return OutcomeCacheSink(
            layout: CachedOutcomes(
                cache: cache, key: .report, timeToLive: timeToLive, encoder: FakeEncoder(),
                context: context))
    }

    @Test("is read where it is written, in the order of the question, until it expires")
    func layout() async throws {
        let sink = sink(MemoryCache(capacityBytes: 1 << 20, clock: time.clock))
        let outcomes = (0..<1200).map { Outcome.testing($0) }
        _ = try await sink.deliver(OutcomeBatch(number: 1, token: 1, outcomes: outcomes))
        let layout = try #require(sink.outcomeCache)
        let found = await layout.lookup([.testing(1199), .testing(9999), .testing(0)])
        #expect(found[0] == Array("cached \(UUID.testing(1199))".utf8)[...])
        #expect(found[1] == nil)
        #expect(found[2] != nil)
        time.advance(by: .seconds(60))
        #expect(await layout.lookup([.testing(0)]) == [nil])
    }

    @Test("that is down fails its own delivery, and is a miss to readers")
    func outage() async throws {
        let sink = sink(MemoryCache(capacityBytes: 8, clock: time.clock))
        let batch = OutcomeBatch(number: 1, token: 1, outcomes: [.testing(1)])
        await #expect(throws: PipelineError.self) { _ = try await sink.deliver(batch) }
        await sink.layout.store(batch.outcomes)
        #expect(await sink.layout.lookup([.testing(1)]) == [nil])
    }

    @Test("whose answer does not fit the question is a miss, and told of")
    func mismatch() async throws {
        let sink = sink(ScriptedCache())
        #expect(await sink.layout.lookup([.testing(1), .testing(2)]) == [nil, nil])
        #expect(
            log.events.contains {
                $0.metadata["error"]?.description.contains("[cache-mismatch]") == true
            })
    }

    @Test(
        "says once that the cache can't be reached, however often it is asked, and when it can again"
    )
    func quietOutage() async throws {
        let cache = MemoryCache(capacityBytes: 1 << 20, clock: time.clock)
        let away = FailingCache(cache)
        let sink = sink(away)
        away.failures.add(.retryable("cache-unavailable", "away"), count: 100)
        for _ in 0..<100 {
            #expect(await sink.layout.lookup([.testing(1)]) == [nil])
            time.advance(by: .milliseconds(10))
        }
        #expect(log.events.map(\.level) == [.warning])
        _ = await sink.layout.lookup([.testing(1)])
        #expect(log.events.map(\.message).last == "works again")
        #expect(log.events.count == 2)
    }

    @Test("forgets an outcome with its case: the id may name another request then")
    func retention() async throws {
        let cache = FailingCache(MemoryCache(capacityBytes: 1 << 20, clock: time.clock))
        let sink = sink(cache, retention: .seconds(50))
        var outcome = Outcome.testing(1)
        outcome.writtenAt = time.timestamp
        time.advance(by: .seconds(20))
        // By whoever has read it from the ledger meanwhile, and again just before it is deleted.
        await sink.layout.store([outcome])
        time.advance(by: .seconds(29))
        await sink.layout.store([outcome])
        #expect(await sink.layout.lookup([.testing(1)]) != [nil])
        time.advance(by: .seconds(1))
        #expect(await sink.layout.lookup([.testing(1)]) == [nil])
        _ = try await sink.deliver(OutcomeBatch(number: 1, token: 1, outcomes: [outcome]))
        #expect(await sink.layout.lookup([.testing(1)]) == [nil])
    }

    @Test("keeps what lasts, and never an outcome that a repeat of its request may overtake")
    func lasting() async throws {
        let sink = sink(MemoryCache(capacityBytes: 1 << 20, clock: time.clock))
        var failed = Outcome.testing(1)
        failed.state = .failed
        var succeeded = Outcome.testing(1)
        succeeded.revision = 2
        await sink.layout.store([failed])
        #expect(await sink.layout.lookup([.testing(1)]) == [nil])
        _ = try await sink.deliver(OutcomeBatch(number: 2, token: 1, outcomes: [succeeded]))
        // A slow reader of the first attempt, and a delivery of it that is repeated.
        for state in [CaseState.failed, .cancelled, .expired] {
            failed.state = state
            await sink.layout.store([failed])
            _ = try await sink.deliver(OutcomeBatch(number: 1, token: 1, outcomes: [failed]))
        }
        #expect(await sink.layout.lookup([.testing(1)]) != [nil])
    }

    @Test("leaves a newer revision where it is, whoever comes late with an old one")
    func revisions() async throws {
        let sink = sink(MemoryCache(capacityBytes: 1 << 20, clock: time.clock))
        var replayed = Outcome.testing(1)
        replayed.revision = 2
        let second = Array("cached \(UUID.testing(1)) 2".utf8)[...]
        for old in [Outcome.testing(1), replayed] {
            _ = try await sink.deliver(OutcomeBatch(number: 1, token: 1, outcomes: [old]))
        }
        #expect(await sink.layout.lookup([.testing(1)]) == [second])
        _ = try await sink.deliver(
            OutcomeBatch(number: 1, token: 2, outcomes: [.testing(1), .testing(2)]))
        await sink.layout.store([.testing(1)])
        #expect(await sink.layout.lookup([.testing(1)]) == [second])
        #expect(await sink.layout.lookup([.testing(2)]) != [nil])
    }

    @Test(
        "keeps what a reader puts back for a minute at most: a replay may put another in its place")
    func putBack() async throws {
        let cache = MemoryCache(capacityBytes: 1 << 20, clock: time.clock)
        let sink = sink(cache, timeToLive: .seconds(86_400))
        await sink.layout.store([.testing(1)])
        _ = try await sink.deliver(OutcomeBatch(number: 1, token: 1, outcomes: [.testing(2)]))
        time.advance(by: .seconds(59))
        for number in 1...2 { #expect(await sink.layout.lookup([.testing(number)]) != [nil]) }
        time.advance(by: .seconds(1))
        #expect(await sink.layout.lookup([.testing(1)]) == [nil])
        #expect(await sink.layout.lookup([.testing(2)]) != [nil])
    }

    @Test("takes for a miss what is not the case's answer, counts it, and says so once")
    func foreign() async throws {
        let cache = MemoryCache(capacityBytes: 1 << 20, clock: time.clock)
        let sink = sink(cache)
        _ = try await sink.deliver(OutcomeBatch(number: 1, token: 1, outcomes: [.testing(1)]))
        let foreign: [Bytes] = [[], [0xFF], try await cache.get(["report:\(UUID.testing(1))"])[0]!]
        for value in foreign {
            try await cache.set([
                CacheEntry(key: "report:\(UUID.testing(2))", value: value, timeToLive: .seconds(9))
            ])
            let found = await sink.layout.lookup([.testing(2), .testing(1)])
            #expect(found[0] == nil)
            #expect(found[1] != nil)
        }
        let seen = counted.entries.filter { $0.contains("foreign") }
        #expect(seen == Array(repeating: "answers foreign_cache_entries 1", count: 3))
        #expect(log.events.map(\.level) == [.warning])
    }
}

/// A cache that answers one value, whatever it is asked for.
struct ScriptedCache: Cache {
    func get(_ keys: [String]) async throws -> [Bytes?] { [nil] }
    func set(_ entries: [CacheEntry]) async throws {}
    func probe() async throws {}
    func close() async {}
}

/// A cache that fails as often as it is told.
private struct FailingCache: Cache {
    let failures = Failures()
    private let inner: MemoryCache
    init(_ inner: MemoryCache) { self.inner = inner }
    func get(_ keys: [String]) async throws -> [Bytes?] {
        try failures.throwNext()
        return try await inner.get(keys)
    }
    func set(_ entries: [CacheEntry]) async throws { try await inner.set(entries) }
    func probe() async throws {}
    func close() async {}
}

extension Failures {
    fileprivate func add(_ error: PipelineError, count: Int) {
        for _ in 0..<count { add(error) }
    }
}

@Suite("A key of cached outcomes")
struct CaseKeyTests {
    @Test("has the case's id in its place")
    func place() throws {
        let id = UUID.testing(1)
        #expect(try CaseKey(parsing: "report:{case_id}")(id) == "report:\(id)")
        #expect(try CaseKey(parsing: "{case_id}")(id) == "\(id)")
        #expect(try CaseKey(parsing: "a{case_id}:v2")(id) == "a\(id):v2")
        #expect(CaseKey.report.text == "report:{case_id}")
    }

    @Test(
        "names the case exactly once",
        arguments: ["", "report", "{case_id}{case_id}", "{CASE_ID}", "{case_id"])
    func malformed(_ text: String) {
        #expect(throws: Refusal.self) { try CaseKey(parsing: text) }
    }

    @Test("is no longer than a key should be")
    func length() {
        #expect(throws: Refusal.self) {
            try CaseKey(parsing: "{case_id}" + String(repeating: "x", count: 512))
        }
    }
}
