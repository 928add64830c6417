import Concurrency
import Logging
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("An intake that an operator has paused", .timeLimit(.minutes(5)))
struct IntakeGateTests {
    private let world = RunningPipeline()
    private let ledger = FakeLedger()
    private let isOver = AsyncEvent()

    /// Sends a chunk a number, then waits for the stop.
    private func source(_ numbers: Int...) -> ScriptedSource {
        ScriptedSource { outlet in
            for number in numbers { try await outlet.send(Chunk.testing([number]).chunk) }
            do { try await AsyncEvent().wait() } catch is CancellationError {}
        }
    }

    private func running(
        _ sources: [ScriptedSource], _ body: (PipelineRun) async throws -> Void
    ) async throws {
        let run = world.run(world.graph(sources: sources, ledger: ledger, poll: .seconds(1)))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await body(run)
            run.stop()
            try await group.waitForAll()
        }
    }

    @Test("takes nothing in until it is resumed, and then what it had read")
    func paused() async throws {
        try await ledger.pause([.intake("in")], reason: "the bus is being moved, by ann@a")
        let source = source(1, 2)
        try await running([source]) { _ in
            try await world.advance(by: .seconds(1)) {
                source.obstacles.entries.contains { $0?.code == .intakePaused }
            }
            await settleDown()
            #expect(ledger.accepted.count == 0)
            #expect(source.obstacles.entries.last??.message.contains("ann@a") == true)
            try await ledger.resume([.intake("in")])
            try await world.advance(by: .seconds(1)) { ledger.accepted.count == 2 }
            #expect(source.obstacles.entries.last.map { $0?.code == nil } == true)
        }
    }

    @Test(
        "reads an input that has ended again once positions were set, also between two looks",
        arguments: [true, false])
    func endedInput(besideOthers: Bool) async throws {
        // What waits keeps the pipeline, whatever has ended.
        ledger.seal([7])
        let runs = Journal<Void>()
        let ending = ScriptedSource { outlet in
            runs.note(())
            try await outlet.send(Chunk.testing([runs.count]).chunk)
        }
        let before = besideOthers ? 2 : 1
        try await running(besideOthers ? [ending, source(9)] : [ending]) { _ in
            try await world.advance(by: .seconds(1)) { ledger.accepted.count == before }
            try await ledger.note("positions of requests: 0 = 0 (was 1)", by: "ann@a")
            try await world.advance(by: .seconds(1)) { ledger.accepted.count == before + 1 }
        }
        #expect(runs.count == 2)
    }

    @Test("leaves other stages' intake alone")
    func others() async throws {
        try await ledger.pause([.intake("other"), .sealing], reason: "")
        try await running([source(1)]) { _ in
            try await world.advance(by: .seconds(1)) { ledger.accepted.count == 1 }
        }
    }

    @Test("stops while it is paused")
    func stop() async throws {
        try await ledger.pause([.intake("in")], reason: "")
        try await running([source(1)]) { _ in await settleDown() }
        #expect(ledger.accepted.count == 0)
    }

    @Test("is paused with everything else from the start, if that is asked for")
    func fromTheStart() async throws {
        ledger.seal([1])
        let generator = ScriptedGenerator()
        var environment = world.environment()
        environment.pauseAtStart = ("started with --paused", "ann@a")
        let run = PipelineRun(
            world.graph(
                sources: [source(2)], ledger: ledger, poll: .seconds(1), generator: generator,
                sinks: [("ready", RecordingSink())]),
            role: .all, environment: environment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await world.time.sleepers()
            #expect(ledger.accepted.count == 0)
            #expect(
                try await Set(ledger.pauses().keys) == [
                    .intake("in"), .sealing, .generation, .delivery("ready"),
                ])
            #expect(try await ledger.changes(after: nil, limit: 9).map(\.actor) == ["ann@a"])
            try await ledger.resume([.intake("in")])
            try await world.advance(by: .seconds(1)) { ledger.accepted.count == 1 }
            run.stop()
            try await group.waitForAll()
        }
    }

    @Test("logs who has changed what, and nothing of what was before it began")
    func changes() async throws {
        try await ledger.note("paused everything", by: "ann@a")
        try await running([source(1)]) { _ in
            try await world.advance(by: .seconds(1)) { ledger.accepted.count == 1 }
            try await ledger.note("resumed everything", by: "bob@b")
            try await world.advance(by: .seconds(1)) {
                world.log.events.contains { $0.message == "operator: resumed everything" }
            }
            // Nobody looks again before the stop.
            try await ledger.note("paused just now", by: "bob@b")
        }
        let told = world.log.events.filter { $0.message.hasPrefix("operator") }
        #expect(
            told.map(\.message.description) == [
                "operator: resumed everything", "operator: paused just now",
            ])
        #expect(told.first?.metadata["by"]?.description == "bob@b")
    }
}
