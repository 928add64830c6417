import ConfigurationFields
import PipelineCore
import PipelineRuntime
import PipelineTesting
import Testing

/// A stage that notes what it was built with.
private struct ScriptedStage: StagePlugin {
    static var type: String { "part" }
    static var role: StageRole { .transform }
    static var guarantee: String { "None." }
    static var summary: String { "A part of a test." }

    private var make: @Sendable (StageContext) throws -> StageInstance = { _ in
        .transform(ScriptedTransform { $0 })
    }
    init(_ field: Fields) {}
    init(_ make: @escaping @Sendable (StageContext) throws -> StageInstance) { self.make = make }
    private var uses: [ResourceName] = []
    private var kind = RecordKind.bytes
    func using(_ uses: [ResourceName], yielding kind: RecordKind = .bytes) -> Self {
        var part = self
        part.uses = uses
        part.kind = kind
        return part
    }
    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(uses: uses.map { ResourceUse("in", $0, .caches) }) { [kind] _ in
            .yields(kind)
        }
    }
    func build(_ context: StageContext) throws -> StageInstance { try make(context) }
}

private struct ScriptedSourceStage: StagePlugin {
    static var type: String { "beginning" }
    static var role: StageRole { .source }
    static var guarantee: String { "None." }
    static var summary: String { "A source of a test." }

    private var note: @Sendable (StageContext) -> Void = { _ in }
    init(_ field: Fields) {}
    init(_ note: @escaping @Sendable (StageContext) -> Void) { self.note = note }
    private var uses: [ResourceName] = []
    func using(_ uses: [ResourceName]) -> Self {
        var beginning = self
        beginning.uses = uses
        return beginning
    }
    func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(uses: uses.map { ResourceUse("from", $0, .reads) }) { _ in .yields(.bytes) }
    }
    func build(_ context: StageContext) throws -> StageInstance {
        note(context)
        return .source([ScriptedSource([])])
    }
}

private struct ScriptedBuffer: Buffer {
    func run(
        receiving receive: @escaping @Sendable () async throws -> Chunk?, into outlet: Outlet
    ) async throws {}
}

private struct FakeSink: RecordSink {
    let stored: FakePositions
    var positions: (any PositionStore)? { stored }
    func deliver(_ chunk: Chunk) async throws {}
}

@Suite("A built pipeline")
struct PipelineGraphTests {
    private let contexts = Journal<StageContext>()

    private func graph(_ stages: [any StagePlugin]) throws -> PipelineGraph {
        let planned = stages.enumerated().map { PlannedStage(id: "s\($0)", settings: $1) }
        return try PipelineGraph(
            stages: planned, context: .testing(clock: ManualClock().clock))
    }

    private static let barrier = Barrier(
        ledger: FakeLedger(), sla: .hours(1), lease: .seconds(1), poll: .seconds(1)
    ) { _, _ in .wait(until: nil) }

    private var source: ScriptedSourceStage {
        ScriptedSourceStage { [contexts] in contexts.note($0) }
    }

    private func part(_ instance: StageInstance) -> ScriptedStage {
        ScriptedStage { [contexts] context in
            contexts.note(context)
            return instance
        }
    }

    @Test("has a head up to the barrier, and a tail behind it")
    func shape() throws {
        let graph = try graph([
            source, part(.transform(ScriptedTransform { $0 })), part(.barrier(Self.barrier)),
            part(.worker(ScriptedGenerator())), part(.outcomeSink(RecordingSink())),
            part(.outcomeSink(RecordingSink())),
        ])
        #expect(graph.sources.map(\.id) == ["s0"])
        #expect(graph.head.map(\.id) == ["s1"])
        #expect(graph.tail?.barrier.id == "s2")
        #expect(graph.tail?.generator?.id == "s3")
        #expect(graph.tail?.sinks.map(\.id) == ["s4", "s5"])
    }

    @Test("has only a head without a barrier; stages stay in order")
    func headOnly() throws {
        let graph = try graph([
            source, part(.transform(ScriptedTransform { $0 })), part(.worker(ScriptedGenerator())),
            part(.outcomeSink(RecordingSink())), part(.outcomeSink(RecordingSink())),
        ])
        #expect(graph.tail == nil)
        #expect(graph.head.map(\.id) == ["s1", "s2", "s3", "s4"])
    }

    @Test("tells each stage its id, and sources last where positions are kept")
    func contextOfSources() throws {
        let positions = FakePositions()
        _ = try graph([source, part(.recordSink(FakeSink(stored: positions)))])
        #expect(contexts.entries.map(\.stage) == ["s1", "s0"])
        #expect(contexts.entries[0].positions == nil)
        #expect(contexts.entries[1].positions as? FakePositions === positions)
    }

    @Test("tells stages before a buffer that settlement comes late, and none behind it")
    func lateSettlement() throws {
        _ = try graph([
            source, part(.transform(ScriptedTransform { $0 })), part(.buffer(ScriptedBuffer())),
            part(.recordSink(RecordingSink())),
        ])
        let late = Dictionary(
            uniqueKeysWithValues: contexts.entries.map { ($0.stage, $0.settlesLate) })
        #expect(late == ["s0": true, "s1": true, "s2": false, "s3": false])
    }

    @Test("hands each stage the resources that its contract uses, and the kind that comes in")
    func ownContext() throws {
        var context = StageContext.testing(clock: ManualClock().clock)
        context.resources = ["cache": FakeBus(), "bus": FakeBus(), "other": FakeBus()]
        let uses: [[ResourceName]] = [["bus"], [], ["cache", "bus"]]
        let stages: [any StagePlugin] =
            [source.using(uses[0])]
            + [
                part(.transform(ScriptedTransform { $0 })).using(uses[1], yielding: .events),
                part(.recordSink(RecordingSink())).using(uses[2]),
            ]
        _ = try PipelineGraph(
            stages: stages.enumerated().map { PlannedStage(id: "s\($0)", settings: $1) },
            context: context)
        let handed = contexts.entries.sorted { $0.stage < $1.stage }
        #expect(handed.map { Set($0.resources.keys) } == uses.map { Set($0) })
        #expect(handed.map(\.input) == [nil, .bytes, .events])
    }

    @Test("is refused when a stage can't stand where it stands")
    func misplaced() {
        let chains: [[StageInstance]] = [
            [.barrier(Self.barrier), .barrier(Self.barrier)],
            [.barrier(Self.barrier), .transform(ScriptedTransform { $0 })],
            [.barrier(Self.barrier), .worker(ScriptedGenerator()), .worker(ScriptedGenerator())],
            [.barrier(Self.barrier), .buffer(ScriptedBuffer())],
            [.barrier(Self.barrier), .worker(ScriptedGenerator()), .recordSink(RecordingSink())],
            [.worker(ScriptedGenerator()), .recordSink(RecordingSink())],
            [.outcomeSink(RecordingSink())],
        ]
        for chain in chains {
            let error = #expect(throws: PipelineError.self) {
                try graph([source] + chain.map(part))
            }
            #expect(error?.code == "misplaced-stage")
            #expect(error?.disposition == .fatal)
        }
    }
}
