import Batching
import Calendar
import Concurrency
import PipelineCore
@testable import PipelineRuntime
import PipelineTesting
import Testing

@Suite("Sealing", .timeLimit(.minutes(5)))
struct SealingLoopTests {
    private let world = RunningPipeline()
    private var time: ManualClock { world.time }

    private func sealing(
        _ ledger: FakeLedger, poll: Duration, retention: Duration? = nil
    ) -> (RunningBarrier, SealingLoop) {
        let rule = BatchingRule(trigger: .count(4), maxBatch: 4, minInterval: .zero)
        let environment = world.environment()
        let barrier = RunningBarrier(
            .init(
                id: "batch",
                role: Barrier(
                    ledger: ledger, sla: .hours(24), lease: .seconds(30), poll: poll,
                    retention: retention
                ) { rule.decide($0, now: $1) }), environment: environment)
        return (barrier, SealingLoop(barrier: barrier, environment: environment))
    }

    /// What a ledger answers that has taken in so many.
    private func new(_ numbers: [Int]) -> AcceptedCounts {
        AcceptedCounts(new: numbers.count, reopened: 0, repeated: 0)
    }

    /// Looks that find nothing to seal.
    private func nothing() -> @Sendable (Int) -> SealingResult {
        { [world] _ in
            SealingResult(
                open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
                clock: world.time.timestamp, sealed: [], next: nil)
        }
    }

    @Test("looks again at once while there is something to seal, then polls with jitter")
    func sealing() async throws {
        let ledger = FakeLedger { [world] look in
            SealingResult(
                open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
                clock: world.time.timestamp,
                sealed: look <= 2
                    ? [SealedBatch(number: Int64(look), count: 4, closedBy: "count")] : [],
                next: nil)
        }
        let (_, loop) = sealing(ledger, poll: .seconds(10))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await loop.run() }
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
        let (barrier, loop) = sealing(ledger, poll: .seconds(3600))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await loop.run() }
            try await time.sleepers()
            barrier.accepted(new([1, 2, 3]), of: Chunk.testing([1, 2, 3]).chunk.records)
            for _ in 0..<500 { await Task.yield() }
            #expect(ledger.seals.count == 1)
            barrier.accepted(new([4]), of: Chunk.testing([4]).chunk.records)
            try await ledger.seals.reaches(2)
            group.cancelAll()
        }
    }

    @Test("refuses a flush that its rule would not hear")
    func deafRule() async throws {
        let ledger = FakeLedger()
        for (trigger, isHeard) in [
            (Trigger.all([.count(4), .count(2)]), false), (.any([.count(4), .manual]), true),
        ] {
            let barrier = Barrier(
                ledger: ledger, sla: .hours(1), lease: .seconds(1), poll: .seconds(1),
                isManual: trigger.isManual
            ) { _, _ in .wait(until: nil) }
            do {
                try await barrier.flush("batch")
                #expect(isHeard)
            } catch let error as PipelineError {
                #expect(error.code == "no-manual-trigger" && !isHeard)
            }
        }
        #expect(ledger.flushes.count == 1)
    }

    @Test("deletes what ended longer ago than its retention, once a minute")
    func retention() async throws {
        let ledger = FakeLedger(sealing: nothing())
        let (_, loop) = sealing(ledger, poll: .seconds(10), retention: .seconds(3600))
        let start = time.timestamp
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await loop.run() }
            group.addTask { try await loop.runUpkeep() }
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
        let (barrier, loop) = sealing(ledger, poll: .seconds(3600), retention: .seconds(3600))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await loop.run() }
            group.addTask { try await loop.runUpkeep() }
            try await ledger.purges.reaches(1)
            // The first batch is still being deleted.
            barrier.ruleMayFire.send()
            try await ledger.seals.reaches(2)
            #expect(ledger.purges.count == 1)
            ledger.purgeGate.set()
            while ledger.purges.count < 301 {
                if time.sleeperCount > 1 { time.advance(by: .milliseconds(1)) }
                await Task.yield()
            }
            group.cancelAll()
        }
        #expect(ledger.seals.count == 2)
    }
}

@Suite("A forecast of the sealing")
struct SealingForecastTests {
    private let start = Timestamp(microseconds: 1_000_000_000_000)

    /// A forecast after a look that found so much, at the clock's origin.
    private func forecast(
        _ trigger: Trigger, waiting: Int = 0, next: Duration? = nil
    ) -> SealingForecast {
        let rule = BatchingRule(trigger: trigger, maxBatch: 100, minInterval: .zero)
        var forecast = SealingForecast { rule.decide($0, now: $1) }
        let open = OpenBatch(
            count: waiting, oldest: waiting > 0 ? start : nil,
            earliestDeadline: waiting > 0 ? start.advanced(by: .hours(24)) : nil)
        forecast.look(
            SealingResult(
                open: open, clock: start, sealed: [],
                next: next.map { start.advanced(by: $0) }), at: Instant(nanoseconds: 0))
        return forecast
    }

    private func add(
        _ count: Int, deadline: Timestamp? = nil, after: Duration = .zero,
        to forecast: inout SealingForecast
    ) -> Bool {
        forecast.add(
            count, earliestDeadline: deadline, sla: .hours(24),
            at: Instant(nanoseconds: after.wholeNanoseconds))
    }

    @Test("looks at once as long as nothing is known")
    func unknown() {
        let rule = BatchingRule(trigger: .count(9), maxBatch: 9, minInterval: .zero)
        var forecast = SealingForecast { rule.decide($0, now: $1) }
        #expect(add(1, to: &forecast))
    }

    @Test("looks when the count is reached, over several arrivals")
    func count() {
        var forecast = forecast(.count(10), waiting: 4)
        #expect(!add(5, to: &forecast))
        #expect(add(1, to: &forecast))
    }

    @Test("looks when the first arrival starts a clock that nobody watches yet")
    func age() {
        var idle = forecast(.maxAge(.seconds(60)))
        #expect(add(1, to: &idle))
        var watched = forecast(.maxAge(.seconds(60)), waiting: 1, next: .seconds(60))
        #expect(!add(1, to: &watched))
    }

    @Test("looks when a deadline is nearer than the next look")
    func deadline() {
        var forecast = forecast(.deadlineMargin(.seconds(300)), waiting: 1, next: .hours(23))
        #expect(!add(1, to: &forecast))
        #expect(add(1, deadline: start.advanced(by: .seconds(600)), to: &forecast))
    }

    @Test("counts time on the store's clock, from the last look on")
    func storeClock() {
        var forecast = forecast(.deadlineMargin(.seconds(300)), waiting: 1, next: .seconds(900))
        let due = start.advanced(by: .seconds(1000))
        #expect(add(1, deadline: due, after: .seconds(701), to: &forecast))
    }
}
