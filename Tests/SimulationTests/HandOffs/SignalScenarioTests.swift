import Concurrency
import PipelineCore
import PipelineSimulation
import Testing

@Suite("Signals and events in every order of events")
struct SignalScenarioTests {
    @Test("a signal that nobody waits for is not lost")
    func signal() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let signal = Signal()
                let waiting = Shared(0)
                let taken = Shared(0)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<3 {
                        group.addTask {
                            for _ in 0..<8 {
                                try await process.clock.sleep(
                                    for: .microseconds(process.simulator.below(3000)))
                                waiting.withLock { $0 += 1 }
                                signal.send()
                            }
                        }
                    }
                    group.addTask {
                        while taken.current < 24 {
                            let some = waiting.take()
                            taken.withLock { $0 += some }
                            // Working away from the signal: what is sent meanwhile must be
                            // remembered.
                            try await process.clock.sleep(
                                for: .microseconds(process.simulator.below(3000)))
                            if some == 0 { try await signal.wait() }
                        }
                    }
                    try await group.waitForAllOrFirstFailure()
                }
            }.failure
        }
        #expect(failure == nil)
    }

    @Test("waiting for a signal with a deadline ends when it is sent or at the deadline")
    func signalWithDeadline() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let signal = Signal()
                let clock = process.clock
                let sending = Duration.microseconds(process.simulator.below(2000))
                let deadline = clock.now.advanced(by: .milliseconds(1))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        try await clock.sleep(for: sending)
                        signal.send()
                    }
                    group.addTask {
                        try await signal.wait(until: deadline, clock: clock)
                        // Timers fire up to a slack of one millisecond late.
                        try expect(
                            clock.now <= deadline.advanced(by: .milliseconds(1)), "too late")
                    }
                    try await group.waitForAllOrFirstFailure()
                }
                if sending > .milliseconds(2) {
                    // Nobody heard it: the next one to wait does.
                    try await signal.wait()
                }
            }.failure
        }
        #expect(failure == nil)
    }

    @Test("an event that is set lets everybody go on, except those who were cancelled")
    func event() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let event = AsyncEvent()
                let clock = process.clock
                let simulator = process.simulator
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for waiter in 0..<6 {
                        group.addTask {
                            try await clock.sleep(for: .microseconds(simulator.below(2000)))
                            if waiter.isMultiple(of: 2) { return try await event.wait() }
                            try await withThrowingTaskGroup(of: Void.self) { race in
                                race.addTask {
                                    do { try await event.wait() } catch is CancellationError {}
                                }
                                try await clock.sleep(for: .microseconds(simulator.below(2000)))
                                race.cancelAll()
                                try await race.waitForAllOrFirstFailure()
                            }
                        }
                    }
                    group.addTask {
                        try await clock.sleep(for: .microseconds(simulator.below(2000)))
                        event.set()
                    }
                    try await group.waitForAllOrFirstFailure()
                }
                try expect(event.isSet, "shut again")
                try await event.wait()
            }.failure
        }
        #expect(failure == nil)
    }
}
