import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@Suite("A signal", .timeLimit(.minutes(5)))
struct SignalTests {
    private let signal = Signal()

    @Test("remembers one sending that nobody waited for")
    func remembers() async throws {
        signal.send()
        signal.send()
        try await signal.wait()
        let time = ManualClock()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [signal] in
                try await signal.wait(until: Instant(nanoseconds: 10), clock: time.clock)
            }
            // The second sending is not a second memory: this waits for the clock.
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
                group.addTask { [signal] in
                    try await signal.wait()
                    woken.note(())
                }
            }
            while woken.count < 5 {
                signal.send()
                await Task.yield()
            }
            try await group.waitForAll()
        }
    }

    @Test("ends the wait of who is cancelled, and of nobody else")
    func cancellation() async throws {
        let cancelled = Task { [signal] in try await signal.wait() }
        let other = Task { [signal] in try await signal.wait() }
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        other.cancel()
        await #expect(throws: CancellationError.self) { try await other.value }
        signal.send()
        try await signal.wait()
    }

    @Test("wakes before its deadline when it is sent")
    func deadline() async throws {
        let time = ManualClock()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [signal] in
                try await signal.wait(until: Instant(nanoseconds: .max), clock: time.clock)
            }
            try await time.sleepers()
            signal.send()
            try await group.waitForAll()
        }
        #expect(time.sleeperCount == 0)
    }

    @Test("does not swallow a cancellation while it waits for a deadline")
    func cancelledDeadline() async throws {
        let time = ManualClock()
        let waiting = Task { [signal] in
            try await signal.wait(until: Instant(nanoseconds: .max), clock: time.clock)
        }
        try await time.sleepers()
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }
}
