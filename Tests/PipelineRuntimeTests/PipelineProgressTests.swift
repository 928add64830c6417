import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("A pipeline is stuck", .timeLimit(.minutes(5)))
struct PipelineProgressTests {
    private let world = RunningPipeline()
    private let start = Instant(nanoseconds: 0)

    /// A ledger whose claims find what there is, and whose rule has nothing to seal.
    private func ledger(isOpen: Bool = true) -> FakeLedger {
        FakeLedger(ahead: 1, isOpen: isOpen, waitsAtClaims: false) { [world] _ in
            SealingResult(
                open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
                clock: world.time.timestamp, sealed: [], next: nil)
        }
    }

    /// An input that never ends.
    private func endless(_ chunks: [Chunk] = []) -> ScriptedSource {
        ScriptedSource { outlet in
            for chunk in chunks { try await outlet.send(chunk) }
            do { try await AsyncEvent().wait() } catch is CancellationError {}
        }
    }

    /// Runs the pipeline until `body` returns.
    private func running(
        _ graph: PipelineGraph, _ body: (PipelineRun) async throws -> Void
    ) async throws {
        let run = world.run(graph, grace: .zero)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await body(run)
            group.cancelAll()
            while let result = await group.nextResult() {
                if case .failure(let error) = result, !(error is CancellationError) { throw error }
            }
        }
        #expect(stuck(run) == nil)
    }

    private func stuck(_ run: PipelineRun, reachableSince since: Instant? = nil) -> String? {
        run.stuck(at: world.time.now, reachableSince: since ?? start)
    }

    /// Moves time on by ten seconds at a time, whoever sleeps meanwhile.
    private func pass(_ duration: Duration, each: () -> Void = {}) async {
        let end = world.time.now.advanced(by: duration)
        while world.time.now < end {
            world.time.advance(by: .seconds(10))
            await settleDown()
            each()
        }
    }

    @Test("when a run has not ended five minutes after its limit, however alive its lease is")
    func generation() async throws {
        let (working, mayEnd) = (AsyncEvent(), AsyncEvent())
        let generator = LimitedGenerator(longestRun: .seconds(60)) { batch in
            working.set()
            await withoutCancellation { try? await mayEnd.wait() }
            return .echo(of: batch)
        }
        let ledger = ledger()
        ledger.seal([1, 2])
        let graph = world.graph(
            sources: [endless()], ledger: ledger, generator: nil, sinks: [])
        try await running(graph.answered(by: generator)) { run in
            try await working.wait()
            await settleDown()
            await pass(.seconds(360))
            #expect(stuck(run) == nil)
            await pass(.seconds(10))
            #expect(ledger.calls.entries.contains("extend 1"))
            #expect(
                stuck(run)
                    == "stage reports: generate batch 1 has not ended for 370 s; it may take 60 s")
            // What it uses has been away until a moment ago.
            #expect(stuck(run, reachableSince: start.advanced(by: .seconds(15))) == nil)
            mayEnd.set()
            try await ledger.commits.reaches(1)
            await settleDown()
            #expect(stuck(run) == nil)
        }
    }

    @Test("not while nothing waits, for however many days")
    func idle() async throws {
        let graph = world.graph(
            sources: [endless()], ledger: ledger(), generator: ScriptedGenerator(),
            sinks: [("ready", RecordingSink())])
        try await running(graph) { run in
            await settleDown()
            for _ in 0..<10 {
                world.time.advance(by: .hours(24))
                await settleDown()
                #expect(stuck(run) == nil)
            }
        }
    }

    @Test("not while what it needs is away and tried again")
    func outage() async throws {
        let ledger = ledger()
        for _ in 0..<1_000 { ledger.fail(.commit, .retryable("store-unavailable", "away")) }
        ledger.seal([1])
        let graph = world.graph(
            sources: [endless()], ledger: ledger, generator: ScriptedGenerator())
        try await running(graph) { run in
            try await world.observer.retries.reaches(1)
            await pass(.minutes(30)) { #expect(stuck(run) == nil) }
            #expect(ledger.commits.count == 0)
        }
    }

    @Test("when the rule is not evaluated to its end")
    func sealing() async throws {
        let ledger = FakeLedger(waitsAtClaims: false)
        try await running(world.graph(sources: [endless()], ledger: ledger)) { run in
            try await ledger.seals.reaches(1)
            await settleDown()
            await pass(.minutes(5))
            #expect(stuck(run) == nil)
            await pass(.seconds(10))
            #expect(stuck(run) == "stage batch: seal has not ended for 310 s")
        }
    }

    @Test("when a sink is five minutes over what its delivery may take")
    func longDelivery() async throws {
        let ledger = ledger()
        let hanging = RecordingSink(isOpen: false)
        ledger.putOutcomes(of: [1, 2], to: ["ready"])
        let graph = world.graph(
            sources: [endless()], ledger: ledger, sinks: [("ready", SlowSink(sink: hanging))])
        try await running(graph) { run in
            try await ledger.deliveryLeases.reaches(1)
            await settleDown()
            await pass(.seconds(420))
            #expect(stuck(run) == nil)
            await pass(.seconds(20))
            #expect(
                stuck(run)
                    == "stage ready: deliver has not ended for 440 s; it may take 120 s")
            hanging.gate.set()
            try await hanging.batches.reaches(1)
        }
    }

    @Test("when a sink takes a batch and does not answer")
    func delivery() async throws {
        let ledger = ledger()
        let hanging = RecordingSink(isOpen: false)
        ledger.putOutcomes(of: [1], to: ["ready"])
        let graph = world.graph(
            sources: [endless()], ledger: ledger, sinks: [("ready", hanging)])
        try await running(graph) { run in
            try await ledger.deliveryLeases.reaches(1)
            await settleDown()
            await pass(.seconds(320))
            #expect(stuck(run) == "stage ready: deliver has not ended for 320 s")
            hanging.gate.set()
            try await hanging.batches.reaches(1)
            await settleDown()
            #expect(stuck(run) == nil)
        }
    }

    @Test("when the store does not answer whether it has accepted; records without a ledger, too")
    func accepting() async throws {
        let ledger = ledger(isOpen: false)
        let graph = world.graph(sources: [endless([Chunk.testing([1]).chunk])], ledger: ledger)
        try await running(graph) { run in
            try await ledger.taken.reaches(1)
            await settleDown()
            await pass(.seconds(320))
            #expect(stuck(run) == "stage batch: accept has not ended for 320 s")
            ledger.gate.set()
            try await ledger.accepted.reaches(1)
            await settleDown()
            await pass(.seconds(320))
            #expect(stuck(run) == nil)
        }
    }

    @Test("when a sink does not take records, in a chain without a ledger")
    func records() async throws {
        let hanging = RecordingSink(isOpen: false)
        let graph = world.graph(
            sources: [endless([Chunk.testing([1]).chunk])], head: [.sink(hanging)])
        try await running(graph) { run in
            try await world.observer.passages.reaches(1)
            await settleDown()
            let from = world.time.now
            await pass(.seconds(320))
            #expect(from == start && stuck(run) == "stage out has not ended for 320 s")
        }
    }

    @Test("when a loop does not wake up five minutes after it should have")
    func overdue() async throws {
        let environment = world.environment()
        try await environment.watched("stage batch") { environment in
            environment.loop?.begins("stage batch: look at the rule", within: .seconds(20))
            world.time.advance(by: .seconds(320))
            #expect(environment.progress.stuck(at: world.time.now, reachableSince: start) == nil)
            world.time.advance(by: .seconds(1))
            #expect(
                environment.progress.stuck(at: world.time.now, reachableSince: start)
                    == "stage batch: look at the rule has not ended for 321 s; it may take 20 s")
            environment.loop?.rests()
            #expect(environment.progress.stuck(at: world.time.now, reachableSince: start) == nil)
        }
    }
}

/// A generator that says how long it takes at most.
private struct LimitedGenerator: Generator {
    let longestRun: Duration
    private let body: @Sendable (Batch) async throws -> GeneratedBatch
    init(
        longestRun: Duration, _ body: @escaping @Sendable (Batch) async throws -> GeneratedBatch
    ) {
        self.longestRun = longestRun
        self.body = body
    }
    func generate(_ batch: Batch) async throws -> GeneratedBatch { try await body(batch) }
}

extension PipelineGraph {
    fileprivate func answered(by generator: some Generator) -> PipelineGraph {
        var graph = self
        graph.tail?.generator = Node(id: "reports", role: generator)
        return graph
    }
}

/// May take a minute for each outcome.
private struct SlowSink: OutcomeSink {
    let sink: RecordingSink
    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        try await sink.deliver(batch)
    }
    func longestDelivery(of count: Int) -> Duration { .minutes(1) * count }
    func close() async {}
}
