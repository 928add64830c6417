import Logging
import PipelineCore
import PipelineTesting

@testable import PipelineRuntime

/// What runs of pipelines need in tests: time that a test moves, and a log to look into.
struct RunningPipeline: Sendable {
    let time = ManualClock()
    let log = LogCapture()
    let observer = RecordingObserver()

    /// Pauses are of the length given, jitter apart (half to whole).
    func environment(
        grace: Duration = .seconds(30), firstPause: Duration = .milliseconds(100)
    ) -> RunEnvironment {
        RunEnvironment(
            clock: time.clock, random: RandomSource(seed: 1), logger: log.logger(),
            worker: "host:1", retry: RetryPolicy(first: firstPause), grace: grace,
            observer: observer)
    }

    /// A pipeline of these parts; the barrier's tail has the generator and the sinks.
    func graph(
        sources: [ScriptedSource], head: [PipelineGraph.Node<PipelineGraph.HeadStage>] = [],
        ledger: FakeLedger? = nil, poll: Duration = .hours(10_000),
        generator: ScriptedGenerator? = nil,
        sinks: [(id: String, sink: any OutcomeSink)] = []
    ) -> PipelineGraph {
        var tail: PipelineGraph.Tail?
        if let ledger {
            tail = PipelineGraph.Tail(
                barrier: .init(id: "batch", role: .testing(ledger, poll: poll)),
                generator: generator.map { .init(id: "reports", role: $0) },
                sinks: sinks.map { .init(id: $0.id, role: $0.sink) })
        }
        return PipelineGraph(
            name: "pipeline", sources: [.init(id: "in", role: sources)], head: head, tail: tail)
    }

    /// A barrier over a ledger, at work.
    func barrier(
        _ ledger: FakeLedger, _ environment: RunEnvironment, lease: Duration = .seconds(30)
    ) -> RunningBarrier {
        RunningBarrier(
            .init(id: "batch", role: .testing(ledger, lease: lease)), environment: environment)
    }

    func run(
        _ graph: PipelineGraph, role: RunRole = .all, grace: Duration = .seconds(30)
    ) -> PipelineRun {
        PipelineRun(graph, role: role, environment: environment(grace: grace))
    }

    /// Moves time on, over and over, each time somebody sleeps, until `done`.
    func advance(by step: Duration, until done: @Sendable () -> Bool) async throws {
        while !done() {
            if time.sleeperCount > 0 { time.advance(by: step) }
            await Task.yield()
        }
    }
}

extension Barrier {
    /// Its rule never fires, and it never looks by itself for what others have done.
    static func testing(
        _ ledger: FakeLedger, lease: Duration = .seconds(30), poll: Duration = .hours(10_000)
    ) -> Barrier {
        Barrier(ledger: ledger, sla: .hours(24), lease: lease, poll: poll) { _, _ in
            .wait(until: nil)
        }
    }
}

/// What a run told its observer.
final class RecordingObserver: RuntimeObserver {
    let retries = Journal<String>()
    let failures = Journal<PipelineError>()
    let generations = Journal<(cases: Int, late: Int)>()
    let deliveries = Journal<String>()
    let parked = Journal<String>()
    let passages = Journal<(stage: String, records: Int)>()

    func passed(stage: String, records: Int, took: Duration) { passages.note((stage, records)) }
    func retried(_ what: String) { retries.note(what) }
    func generated(stage: String, _ cases: [Case], took: Duration, committedAt: Timestamp) {
        generations.note((cases.count, cases.count { $0.deadline < committedAt }))
    }
    func generationFailed(stage: String, _ error: PipelineError) { failures.note(error) }
    func delivered(stage: String, outcomes: Int, took: Duration) {
        deliveries.note("\(outcomes) to \(stage)")
    }
    func parked(stage: String, code: ErrorCode, outcomes: Int) {
        parked.note("\(outcomes) \(code) at \(stage)")
    }
}

extension PipelineGraph.Node<PipelineGraph.HeadStage> {
    static func sink(_ sink: RecordingSink) -> Self { Self(id: "out", role: .recordSink(sink)) }
    static func outcomeSink(_ sink: RecordingSink) -> Self {
        Self(id: "out", role: .outcomeSink(sink))
    }
    static func transform(_ body: @escaping @Sendable (Chunk) async throws -> Chunk) -> Self {
        Self(id: "change", role: .transform(ScriptedTransform(body)))
    }
}

/// Lets whoever can go on go on; on a machine whose processors others have, too.
func settleDown() async {
    let start = ContinuousClock.now
    repeat {
        for _ in 0..<500 { await Task.yield() }
    } while start.duration(to: .now) < .milliseconds(5)
}
