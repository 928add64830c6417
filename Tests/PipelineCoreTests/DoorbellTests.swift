import PipelineCore
import PipelineTesting
import Testing

@Suite("A doorbell", .timeLimit(.minutes(5)))
struct DoorbellTests {
    private let bell = Doorbell()

    @Test("remembers one ring that nobody waited for")
    func remembers() async throws {
        bell.ring()
        bell.ring()
        try await bell.wait()
        let time = ManualClock()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [bell] in
                try await bell.wait(until: Instant(nanoseconds: 10), clock: time.clock)
            }
            // The second ring is not a second memory: this waits for the clock.
            try await time.sleepers()
            time.advance(by: .seconds(1))
            try await group.waitForAll()
        }
    }

    @Test("wakes everybody who waits")
    func wakesAll() async throws {
        let woken = Journal<Void>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<5 {
                group.addTask { [bell] in
                    try await bell.wait()
                    woken.note(())
                }
            }
            while woken.count < 5 {
                bell.ring()
                await Task.yield()
            }
            try await group.waitForAll()
        }
    }

    @Test("ends the wait of who is cancelled, and of nobody else")
    func cancellation() async throws {
        let cancelled = Task { [bell] in try await bell.wait() }
        let other = Task { [bell] in try await bell.wait() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        other.cancel()
        await #expect(throws: CancellationError.self) { try await other.value }
        bell.ring()
        try await bell.wait()
    }

    @Test("wakes before its deadline when it is rung")
    func deadline() async throws {
        let time = ManualClock()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [bell] in
                try await bell.wait(until: Instant(nanoseconds: .max), clock: time.clock)
            }
            try await time.sleepers()
            bell.ring()
            try await group.waitForAll()
        }
        #expect(time.sleeperCount == 0)
    }

    @Test("does not swallow a cancellation while it waits for a deadline")
    func cancelledDeadline() async throws {
        let time = ManualClock()
        let waiting = Task { [bell] in
            try await bell.wait(until: Instant(nanoseconds: .max), clock: time.clock)
        }
        try await time.sleepers()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }
}
