import Concurrency
import Ledger
import Logging
import PipelineCore
import PipelineSimulation
import Testing

@testable import PipelineRuntime

@Suite("What the runtime races against a stop or a lease")
struct RuntimeRaceTests {
    @Test("what was taken together with the stop is not lost")
    func stopping() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let environment = RunEnvironment(simulated: process)
                let channel = Channel<Int>(capacity: 4)
                let taken = Shared<[Int]>([])
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for element in 0..<8 {
                            try await process.clock.sleep(
                                for: .microseconds(process.simulator.below(800)))
                            try await channel.send(element)
                        }
                        channel.finish()
                    }
                    group.addTask {
                        while let element = try await environment.unlessStopped({
                            try await channel.receive() ?? -1
                        }), element >= 0 {
                            taken.append(element)
                        }
                        while let rest = try await channel.receive() {
                            taken.append(rest)
                        }
                    }
                    group.addTask {
                        try await process.clock.sleep(
                            for: .microseconds(process.simulator.below(4000)))
                        environment.stop.set()
                    }
                    try await group.waitForAllOrFirstFailure()
                }
                try expect(taken.current == Array(0..<8), "lost: \(taken.current)")
            }.failure
        }
        #expect(failure == nil)
    }

    @Test(
        "work under a lease is cancelled when an extension is refused, and its result counts when it was in time"
    )
    func leases() async throws {
        let failure = try await Seeds.firstFailure(300) { seed in
            runScenario(seed: seed) { process in
                let clock = process.clock
                let simulator = process.simulator
                let lostAt = clock.now.advanced(by: .milliseconds(simulator.below(40)))
                let work = Duration.milliseconds(simulator.below(40))
                let keeper = LeaseKeeper(
                    stage: "stage", lease: .milliseconds(9),
                    environment: RunEnvironment(simulated: process),
                    extend: {
                        try await clock.sleep(for: .microseconds(100))
                        if simulator.chance(0.2) {
                            throw PipelineError.retryable(.storeBusy, "busy")
                        }
                        if clock.now >= lostAt { throw PipelineError.fenced(.leaseLost, "lost") }
                    },
                    handBack: {
                        throw PipelineError.fatal(
                            ErrorCode(foreign: "handed-back"), "nobody broke it off")
                    }
                )
                do {
                    let end = try await keeper.holding {
                        try await clock.sleep(for: work)
                        return clock.now
                    }
                    try expect(end <= clock.now, "an answer from the future")
                } catch let error as PipelineError {
                    try expect(error.code == .leaseLost, "\(error)")
                    try expect(clock.now >= lostAt, "lost too early")
                }
            }.failure
        }
        #expect(failure == nil)
    }
}

extension RunEnvironment {
    init(simulated process: SimulatedProcess) {
        self.init(
            clock: process.clock, random: RandomSource(seed: process.simulator.next()),
            logger: LogCapture().logger(), worker: process.name)
    }
}
