import Batching
import Ledger
import Logging
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A barrier over a ledger", .timeLimit(.minutes(5)))
struct LedgerBarrierTests {
    private let time = ManualClock()

    private func barrier(
        _ ledger: FakeLedger, poll: Duration = .seconds(1), retention: Duration? = nil,
        trigger: Trigger = .count(4), lease: Duration = .seconds(30)
    ) -> LedgerBarrier {
        LedgerBarrier(
            ledger: ledger, rule: BatchingRule(trigger: trigger, maxBatch: 4, minInterval: .zero),
            lease: lease, poll: poll, retention: retention,
            context: .testing(clock: time.clock, stage: "batch"))
    }

    /// Looks that find nothing to seal.
    private func nothing() -> @Sendable (Int) -> SealingResult {
        { [time] _ in
            SealingResult(
                open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
                clock: time.timestamp, sealed: [], next: nil)
        }
    }

    @Test("settles a chunk once its cases are committed, and not before")
    func settles() async throws {
        let ledger = FakeLedger(sealing: nothing())
        let (chunk, settlement) = Chunk.testing([1, 2], at: 0)
        ledger.failures.add(.retryable("store-unavailable", "away"))
        let barrier = barrier(ledger)
        await #expect(throws: PipelineError.self) { try await barrier.accept(chunk) }
        #expect(settlement.settlements.count == 0)
        try await barrier.accept(chunk)
        #expect(ledger.submissions.entries == [[.testing(1), .testing(2)]])
        #expect(try await settlement.outcome() == nil)
    }

    @Test("keeps conflicts in the dead letters before anything is committed")
    func conflicts() async throws {
        let ledger = FakeLedger(conflicts: [.testing(2)], sealing: nothing())
        let (chunk, settlement) = Chunk.testing([1, 2, 3], at: 0)
        let barrier = barrier(ledger)
        settlement.failures.add(.retryable("bus-unavailable", "away"))
        await #expect(throws: PipelineError.self) { try await barrier.accept(chunk) }
        // Nothing but the attempt that found them: no commit while a conflict is not kept.
        #expect(ledger.submissions.count == 1)
        #expect(settlement.settlements.count == 0)
        try await barrier.accept(chunk)
        #expect(ledger.submissions.entries.last == [.testing(1), .testing(3)])
        #expect(settlement.rejectedOrdinals == [1])
        let rejection = settlement.rejections.entries[0]
        #expect(rejection.code == "conflict")
        #expect(rejection.stage == "batch")
        #expect(rejection.reason.contains(UUID.testing(2).description))
        #expect(try await settlement.outcome() == nil)
    }

    @Test("keeps what the store refuses for itself in the dead letters, and accepts the rest")
    func refusals() async throws {
        let stored = InMemoryPositions()
        _ = try await stored.positions(of: "topic", initial: [0: 0])
        let ledger = FakeLedger(
            conflicts: [.testing(4)], refused: [.testing(2), .testing(7)], stored: stored,
            sealing: nothing())
        let (chunk, settlement) = Chunk.testing(Array(1...8), at: 0)
        settlement.failures.add(.retryable("bus-unavailable", "away"))
        let barrier = barrier(ledger)
        await #expect(throws: PipelineError.self) { try await barrier.accept(chunk) }
        // The chunk's positions stand still while a refused record is not kept.
        #expect(settlement.settlements.count == 0)
        try await barrier.accept(chunk)
        #expect(settlement.rejectedOrdinals == [1, 3, 6])
        let rejections = settlement.rejections.entries
        #expect(rejections.map(\.code) == ["store-data", "conflict", "store-data"])
        #expect(rejections[0].reason == "there is no such character")
        #expect(rejections[0].stage == "batch")
        let accepted = Set(ledger.accepted.entries.flatMap(\.self))
        #expect(accepted == Set([1, 3, 5, 6, 8].map { .testing($0) }))
        #expect(try await settlement.outcome() == nil)
    }

    @Test("tells of a store that refuses everything, once, and goes on all the same")
    func refusesEverything() async throws {
        let logs = LogCapture()
        var context = StageContext.testing(clock: time.clock, stage: "batch")
        context.logger = logs.logger()
        let ledger = FakeLedger(
            refused: Set((1...9).map { .testing($0) }), sealing: nothing())
        let barrier = LedgerBarrier(
            ledger: ledger, rule: BatchingRule(trigger: .count(4), maxBatch: 4, minInterval: .zero),
            lease: .seconds(30), poll: .seconds(1), retention: nil, context: context)
        func told() -> [String] {
            logs.events.map { "\($0.message)" }.filter { $0.contains("refuses every record") }
        }
        // One record alone says nothing of the others, nor do two that are refused among others.
        try await barrier.accept(Chunk.testing([1], at: 0).chunk)
        try await barrier.accept(Chunk.testing([2, 3, 20], at: 1).chunk)
        #expect(told().isEmpty)
        for start in [4, 6] {
            let (chunk, settlement) = Chunk.testing([start, start + 1], at: Int64(start))
            try await barrier.accept(chunk)
            #expect(settlement.rejectedOrdinals == [0, 1])
            #expect(try await settlement.outcome() == nil)
        }
        #expect(told().count == 1)
        try await barrier.accept(Chunk.testing([21], at: 8).chunk)
        #expect(logs.events.last.map { "\($0.message)" } == "works again")
    }

    @Test("moves positions even when every record of a chunk is a conflict, or it has none")
    func emptyChunks() async throws {
        let ledger = FakeLedger(conflicts: [.testing(1)], sealing: nothing())
        let barrier = barrier(ledger)
        try await barrier.accept(Chunk.testing([1], at: 0).chunk)
        try await barrier.accept(Chunk.testing([], at: 1, upTo: 5).chunk)
        #expect(ledger.submissions.entries == [[.testing(1)], [], []])
        let (nothingAtAll, settlement) = Chunk.testing([])
        try await barrier.accept(nothingAtAll)
        #expect(ledger.submissions.count == 3)
        #expect(try await settlement.outcome() == nil)
    }

    @Test("looks again at once while there is something to seal, then polls with jitter")
    func sealing() async throws {
        let ledger = FakeLedger { [time] look in
            SealingResult(
                open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
                clock: time.timestamp,
                sealed: look <= 2
                    ? [SealedBatch(number: Int64(look), count: 4, closedBy: "count")] : [],
                next: nil)
        }
        let barrier = barrier(ledger, poll: .seconds(10))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await barrier.runSealing() }
            try await time.sleepers()
            #expect(ledger.seals.count == 3)
            time.advance(by: .milliseconds(7499))
            #expect(time.sleeperCount == 1)
            time.advance(by: .milliseconds(5001))
            try await ledger.seals.reaches(4)
            group.cancelAll()
        }
    }

    @Test("looks earlier when what arrives may make the rule fire, and not for less")
    func arrivals() async throws {
        let ledger = FakeLedger(sealing: nothing())
        let barrier = barrier(ledger, poll: .seconds(3600))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await barrier.runSealing() }
            try await time.sleepers()
            try await barrier.accept(Chunk.testing([1, 2, 3]).chunk)
            for _ in 0..<500 { await Task.yield() }
            #expect(ledger.seals.count == 1)
            try await barrier.accept(Chunk.testing([4]).chunk)
            try await ledger.seals.reaches(2)
            group.cancelAll()
        }
    }

    @Test("looks when a flush is asked for")
    func flush() async throws {
        let ledger = FakeLedger(sealing: nothing())
        let barrier = barrier(ledger, poll: .seconds(3600))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await barrier.runSealing() }
            try await time.sleepers()
            try await barrier.flush()
            try await ledger.seals.reaches(2)
            group.cancelAll()
        }
        #expect(ledger.flushes.count == 1)
    }

    @Test("deletes what ended longer ago than its retention, once a minute")
    func retention() async throws {
        let ledger = FakeLedger(sealing: nothing())
        let barrier = barrier(ledger, poll: .seconds(10), retention: .seconds(3600))
        let start = time.timestamp
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await barrier.runSealing() }
            group.addTask { try await barrier.runUpkeep() }
            try await ledger.purges.reaches(1)
            while ledger.purges.count < 2 {
                if time.sleeperCount > 0 { time.advance(by: .seconds(1)) }
                await Task.yield()
            }
            group.cancelAll()
        }
        #expect(ledger.purges.entries[0] == start.advanced(by: .seconds(-3600)))
        #expect(start.duration(to: time.timestamp) >= .seconds(60))
    }

    @Test("seals at once what is due while much is to be deleted, and deletes batch by batch")
    func retentionBesideSealing() async throws {
        let ledger = FakeLedger(isOpen: false, finished: 300, sealing: nothing())
        let barrier = barrier(ledger, poll: .seconds(3600), retention: .seconds(3600))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await barrier.runSealing() }
            group.addTask { try await barrier.runUpkeep() }
            try await ledger.purges.reaches(1)
            // The first batch is still being deleted.
            try await barrier.flush()
            try await ledger.seals.reaches(2)
            #expect(ledger.purges.count == 1)
            ledger.purgeGate.open()
            while ledger.purges.count < 301 {
                if time.sleeperCount > 1 { time.advance(by: .milliseconds(1)) }
                await Task.yield()
            }
            group.cancelAll()
        }
        #expect(ledger.seals.count == 2)
    }

    @Test(
        "leaves a delivery to a silent worker for a minute at most, however long its batches take",
        arguments: [(Duration.seconds(600), Duration.seconds(60)), (.seconds(30), .seconds(30))])
    func deliveryLease(lease: Duration, expected: Duration) async throws {
        let ledger = FakeLedger(sealing: nothing())
        ledger.put(OutcomeBatch(number: 1, token: 1, outcomes: []))
        let delivery = try await barrier(ledger, lease: lease).nextDelivery(
            to: "ready", worker: "w")
        try await delivery.extend()
        #expect(delivery.lease == expected)
        #expect(ledger.deliveryLeases.entries == [expected, expected])
    }
}
