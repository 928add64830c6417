import Concurrency
import Logging
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("A running pipeline", .timeLimit(.minutes(5)))
struct PipelineRunTests {
    private let world = RunningPipeline()
    private let ledger = FakeLedger()

    /// Sends a chunk, then waits for the stop like an input that never ends.
    private func endless(_ chunks: [Chunk]) -> ScriptedSource {
        ScriptedSource { outlet in
            for chunk in chunks { try await outlet.send(chunk) }
            do { try await AsyncEvent().wait() } catch is CancellationError {}
        }
    }

    @Test("ends by itself when every input has ended and everything is delivered")
    func ends() async throws {
        let sink = RecordingSink()
        ledger.seal([1, 2])
        let (chunk, settlement) = Chunk.testing([3])
        let source = ScriptedSource([chunk])
        let run = world.run(
            world.graph(
                sources: [source], ledger: ledger, generator: ScriptedGenerator(),
                sinks: [("ready", sink)]))
        let ended = AsyncEvent()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await run.run()
                ended.set()
            }
            try await world.advance(by: .milliseconds(250)) { ended.isSet }
            try await group.waitForAll()
        }
        #expect(ledger.calls.entries.first == "register")
        #expect(sink.batches.entries.map(\.number) == [1])
        #expect(sink.closings.count == 1)
        #expect(source.closings.count == 1)
        #expect(try await settlement.outcome() == nil)
    }

    @Test("settles what is in flight when it is asked to stop, and closes its ends")
    func gracefulStop() async throws {
        let sink = RecordingSink(isOpen: false)
        let chunks = (0..<3).map { Chunk.testing([$0]) }
        let source = endless(chunks.map(\.chunk))
        let run = world.run(world.graph(sources: [source], head: [.sink(sink)]))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await world.observer.passages.reaches(3)
            run.stop()
            await settleDown()
            #expect(source.closings.count == 0)
            sink.gate.set()
            try await group.waitForAll()
        }
        for (_, settlement) in chunks { #expect(try await settlement.outcome() == nil) }
        #expect(source.closings.count == 1)
        #expect(sink.closings.count == 1)
    }

    @Test("does not wait for a trigger when it is asked to stop, but for the batch in work")
    func stopDuringGeneration() async throws {
        let working = AsyncEvent()
        let mayFinish = AsyncEvent()
        let generator = ScriptedGenerator { batch in
            working.set()
            try await mayFinish.wait()
            return .echo(of: batch)
        }
        ledger.seal([1])
        let run = world.run(
            world.graph(sources: [endless([])], ledger: ledger, generator: generator))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await working.wait()
            ledger.seal([2])
            run.stop()
            await settleDown()
            mayFinish.set()
            try await group.waitForAll()
        }
        #expect(ledger.commits.entries.map(\.batch.number) == [1])
    }

    @Test("gives up when the grace is over, and promises nothing for what is left")
    func graceExceeded() async throws {
        let sink = RecordingSink(isOpen: false)
        let (chunk, settlement) = Chunk.testing([1])
        let run = world.run(
            world.graph(sources: [endless([chunk])], head: [.sink(sink)]), grace: .seconds(5))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await world.observer.passages.reaches(1)
            run.stop()
            try await world.time.sleepers()
            world.time.advance(by: .seconds(5))
            try await group.waitForAll()
        }
        #expect(sink.chunks.count == 0)
        #expect(world.log.events.contains { $0.message.hasPrefix("the grace is over") })
        _ = consume chunk
        #expect(settlement.settlements.entries.allSatisfy { $0.failure != nil })
    }

    @Test("tries to prepare until the store is there")
    func preparation() async throws {
        ledger.fail(.register, .retryable("store-unavailable", "away"))
        let (chunk, settlement) = Chunk.testing([1])
        let run = world.run(world.graph(sources: [endless([chunk])], ledger: ledger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await world.time.sleepers()
            #expect(ledger.accepted.count == 0)
            world.time.advance(by: .seconds(1))
            #expect(try await settlement.outcome() == nil)
            run.stop()
            try await group.waitForAll()
        }
    }

    @Test("that is stopped before the store was there closes its sources: callers wait at them")
    func stopBeforePreparation() async throws {
        ledger.fail(.register, .retryable("store-unavailable", "away"))
        let source = endless([])
        let run = world.run(world.graph(sources: [source], ledger: ledger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await world.time.sleepers()
            run.stop()
            try await group.waitForAll()
        }
        #expect(source.closings.count == 1)
        #expect(ledger.accepted.count == 0)
    }

    @Test("stops with the reason when the barrier refuses to begin")
    func refusal() async throws {
        ledger.fail(.register, .fatal("rule-conflict", "another rule has this revision"))
        let source = endless([])
        let run = world.run(world.graph(sources: [source], ledger: ledger))
        let error = await #expect(throws: PipelineError.self) { try await run.run() }
        #expect(error?.code == "rule-conflict")
        #expect(source.closings.count == 1)
    }

    @Test("takes in, but neither generates nor delivers, in the role of an API")
    func api() async throws {
        ledger.seal([1])
        ledger.putOutcomes(of: [2], to: ["ready"])
        let sink = RecordingSink()
        let (chunk, settlement) = Chunk.testing([3])
        let run = world.run(
            world.graph(
                sources: [endless([chunk])], ledger: ledger, generator: ScriptedGenerator(),
                sinks: [("ready", sink)]), role: .api)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            #expect(try await settlement.outcome() == nil)
            await settleDown()
            run.stop()
            try await group.waitForAll()
        }
        #expect(ledger.commits.count == 0)
        #expect(sink.batches.count == 0)
    }

    @Test("takes in, generates and delivers in the role of a worker")
    func worker() async throws {
        ledger.seal([1])
        let sink = RecordingSink()
        let (chunk, settlement) = Chunk.testing([3])
        let run = world.run(
            world.graph(
                sources: [endless([chunk])], ledger: ledger, generator: ScriptedGenerator(),
                sinks: [("ready", sink)]), role: .worker)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            #expect(try await settlement.outcome() == nil)
            try await ledger.calls.reaches(4)
            run.stop()
            try await group.waitForAll()
        }
        #expect(ledger.commits.count == 1)
        #expect(sink.batches.count == 1)
    }

    @Test("tells of an input that is not read, until there is a record of it again")
    func standingInput() async throws {
        let (world, ledger, isHealed) = (RunningPipeline(), FakeLedger(), AsyncEvent())
        let source = ScriptedSource { outlet in
            guard isHealed.isSet else {
                throw PipelineError.retryable("topic-recreated", "another log")
            }
            try await outlet.send(Chunk.testing([1]).chunk)
            do { try await AsyncEvent().wait() } catch is CancellationError {}
        }
        let run = world.run(world.graph(sources: [source], ledger: ledger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await world.advance(by: .seconds(1)) {
                run.inputProblem?.contains("stage in, input 1 is not read: another log") == true
            }
            isHealed.set()
            try await world.advance(by: .seconds(1)) { run.inputProblem == nil }
            try await world.advance(by: .seconds(1)) { ledger.accepted.count == 1 }
            run.stop()
            try await group.waitForAll()
        }
    }

    @Test("leaves an input whose bus is away to the bus's own probe")
    func awayInput() {
        let condition = RunCondition()
        let away = PipelineError.retryable("bus-unavailable", "no broker")
        condition.input("a", standsStillFor: away.of(Backend(.bus, "Kafka at b")))
        #expect(condition.inputProblem == nil)
        condition.input("a", standsStillFor: away)
        #expect(condition.inputProblem?.contains("no broker") == true)
        condition.input("a", standsStillFor: nil)
        #expect(condition.inputProblem == nil)
    }

    @Test("tells of a failure while it is tried again, and for a while after the last try")
    func condition() {
        let condition = RunCondition()
        let time = ManualClock()
        #expect(condition.problem(at: time.now) == "is starting")
        condition.prepared()
        condition.blocked(by: .retryable("store-full", "no space"), at: time.now)
        time.advance(by: .hours(1))
        #expect(condition.problem(at: time.now) == "no space")
        // Whoever is sent nobody because of it would never find out otherwise.
        condition.gaveUp(at: time.now)
        #expect(condition.problem(at: time.now) == "no space")
        time.advance(by: RunCondition.memory)
        #expect(condition.problem(at: time.now) == nil)
        condition.blocked(by: .retryable("store-full", "no space"), at: time.now)
        condition.blocked(by: nil, at: time.now)
        #expect(condition.problem(at: time.now) == nil)
        // A probe says so if it was asked after the failure, in a pause of who tries again, too.
        let (store, other) = (Backend(.store, "PostgreSQL at a"), Backend(.store, "SQLite at b"))
        #expect(!condition.hasHealed(store, askedAt: time.now))
        let before = time.now
        time.advance(by: .seconds(1))
        condition.blocked(by: .retryable("store-unavailable", "away").of(store), at: time.now)
        #expect(!condition.hasHealed(store, askedAt: before))
        #expect(!condition.hasHealed(other, askedAt: time.now))
        #expect(condition.hasHealed(store, askedAt: time.now))
        condition.gaveUp(at: time.now)
        #expect(condition.hasHealed(store, askedAt: time.now))
    }
}
