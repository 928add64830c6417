import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A cache of outcomes", .timeLimit(.minutes(5)))
struct OutcomeCacheSinkTests {
    private let time = ManualClock()

    private func sink(_ cache: any Cache) -> OutcomeCacheSink {
        OutcomeCacheSink(
            layout: CachedOutcomes(
                cache: cache, key: .report, timeToLive: .seconds(60), encoder: FakeEncoder(),
                logger: StageContext.testing(clock: time.clock).logger))
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
}
