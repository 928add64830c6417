import PipelineCore
import PipelineSimulation
import Testing

@Suite("Bells and latches in every order of events")
struct BellScenarioTests {
    @Test("a ring that nobody waits for is not lost")
    func bell() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let bell = Doorbell()
                let waiting = Shared(0)
                let taken = Shared(0)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            for _ in 0..<8 {
                                try await process.clock.sleep(
                                    for: .microseconds(process.simulator.below(3000)))
                                waiting.withLock { $0 += 1 }
                                bell.ring()
                            }
                        }
                    }
                    group.addTask {
                        while taken.current < 24 {
                            let some = waiting.take()
                            taken.withLock { $0 += some }
                            // Working away from the bell: what is rung meanwhile must be remembered.
                            try await process.clock.sleep(
                                for: .microseconds(process.simulator.below(3000)))
                            if some == 0 { try await bell.wait() }
                        }
                    }
                    try await group.waitForAllOrFirstFailure()
                }
            }.failure
        }
        #expect(failure == nil)
    }

    @Test("waiting for a bell with a deadline ends with the ring or at the deadline")
    func bellWithDeadline() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let bell = Doorbell()
                let clock = process.clock
                let rings = Duration.microseconds(process.simulator.below(2000))
                let deadline = clock.now.advanced(by: .milliseconds(1))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await clock.sleep(for: rings)
                        bell.ring()
                    }
                    group.addTask {
                        try await bell.wait(until: deadline, clock: clock)
                        // Timers fire up to a slack of one millisecond late.
                        try expect(
                            clock.now <= deadline.advanced(by: .milliseconds(1)), "too late")
                    }
                    try await group.waitForAllOrFirstFailure()
                }
                if rings > .milliseconds(2) {
                    // Nobody heard it: the next one to wait does.
                    try await bell.wait()
                }
            }.failure
        }
        #expect(failure == nil)
    }

    @Test("an open latch lets everybody go on, except those who were cancelled")
    func latch() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let latch = Latch()
                let clock = process.clock
                let simulator = process.simulator
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for waiter in 0..<6 {
                        group.addTask {
                            try await clock.sleep(for: .microseconds(simulator.below(2000)))
                            if waiter.isMultiple(of: 2) { return try await latch.wait() }
                            try await withThrowingTaskGroup(of: Void.self) { race in
                                race.addTask {
                                    do { try await latch.wait() } catch is CancellationError {}
                                }
                                try await clock.sleep(for: .microseconds(simulator.below(2000)))
                                race.cancelAll()
                                try await race.waitForAllOrFirstFailure()
                            }
                        }
                    }
                    group.addTask {
                        try await clock.sleep(for: .microseconds(simulator.below(2000)))
                        latch.open()
                    }
                    try await group.waitForAllOrFirstFailure()
                }
                try expect(latch.isOpen, "shut again")
                try await latch.wait()
            }.failure
        }
        #expect(failure == nil)
    }
}
