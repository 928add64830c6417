import ConfigurationFields
import LocatedJSON
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("The uses of a stage")
struct StageUsesTests {
    private func needs(of stage: some StagePlugin) -> [ResourceNeed] {
        stage.contract(in: Catalogue()).uses.flatMap { $0.needs(pipeline: "p", stage: "s") }
    }

    @Test("of an ingest are its inputs: what each must be, and which topics it leads to")
    func ingest() throws {
        let stage = try IngestStage.decode([
            "from": [
                ["resource": "bus", "topic": "t", "create": ["partitions": 3]],
                ["resource": "api"],
                ["resource": "bus", "topic": "u", "on_new_topic": "from_start"],
            ]
        ])
        let uses = stage.contract(in: Catalogue()).uses
        #expect(uses.map(\.field) == (0...2).map { "from[\($0)].resource" })
        #expect(uses.map(\.kinds) == [[.bus], [.api, .lines], [.bus]])
        #expect(uses.compactMap(\.topic?.name) == ["t", "u"])
        #expect(uses.compactMap(\.topic?.field) == ["from[0].topic", "from[2].topic"])
        #expect(uses.compactMap(\.topic?.beginsAnew) == [false, true])
        #expect(
            needs(of: stage) == [
                .topic(TopicNeed("t", .reads, creation: .atStart(partitions: 3))),
                .topic(
                    TopicNeed(
                        "t.dead-letters", .writes, creation: .atFirstMessage(partitions: 3))),
                .reading,
                .topic(TopicNeed("u", .reads, creation: .never)),
                .topic(
                    TopicNeed(
                        "u.dead-letters", .writes, creation: .atFirstMessage(partitions: nil))),
            ])
    }

    @Test("of an accumulate is its ledger, with the rule; none without durability")
    func accumulate() throws {
        let stage = try AccumulateStage.decode(["store": "store", "trigger": ["count": 2]])
        let found = needs(of: stage)
        guard case .ledger(let need)? = found.first, found.count == 1 else {
            Issue.record("\(found)")
            return
        }
        #expect(need.pipeline == "p")
        #expect(need.stage == "s")
        #expect(need.ruleText.contains("\"count\""))
        #expect(stage.fullBatch == 2)
        let passing = try AccumulateStage.decode([
            "durability": "none", "trigger": ["count": 2],
        ])
        #expect(passing.contract(in: Catalogue()).uses.isEmpty)
    }

    @Test("of a generate is the store that its generator reads, unless the generator is elsewhere")
    func generate() throws {
        let stage = try GenerateStage.decode(["generator": "far", "store": "store"])
        let near = GeneratorRegistration(name: "far", summary: "") { _, _, _ in ScriptedGenerator()
        }
        let far = GeneratorRegistration(name: "far", summary: "", inspect: { _, _ in [] }) {
            _, _, _ in ScriptedGenerator()
        }
        let needs = [near, far].map { generator in
            stage.contract(in: Catalogue(generators: [generator])).uses
                .flatMap { $0.needs(pipeline: "p", stage: "s") }
        }
        #expect(needs == [[.generation("far")], []])
    }

    @Test("of a publish and a cache say what they write to")
    func sinks() throws {
        let topic = try PublishStage.decode(["to": "bus", "topic": "t"])
        #expect(
            needs(of: topic) == [
                .topic(TopicNeed("t", .writes, creation: .atFirstMessage(partitions: nil)))
            ])
        let rows = try PublishStage.decode(["to": "store"])
        #expect(needs(of: rows) == [.writing])
        let use = try #require(rows.contract(in: Catalogue()).uses.first)
        #expect(use.kinds == [.store, .lines, .webhook])
        #expect(use.rows(of: .store) == .events)
        #expect(use.rows(of: .webhook) == .outcomes)
        #expect(use.rows(of: .lines) == nil)
        let cache = try CacheStage.decode(["in": "cache"])
        #expect(cache.contract(in: Catalogue()).uses == [ResourceUse("in", "cache", .caches)])
        #expect(needs(of: cache).isEmpty)
    }

    @Test("are what it is built with: of another kind, the stage is refused by its name")
    func wrongResource() throws {
        let context = StageContext.testing(
            clock: ManualClock().clock, stage: "out", resources: ["bus": FakeLines([])])
        let stage = try PublishStage.decode(["to": "bus", "topic": "t"])
        let error = #expect(throws: PipelineError.self) { _ = try stage.build(context) }
        #expect(error?.code == "wrong-resource")
        #expect(error?.message == "stage out: the resource \"bus\" can't be used as bus")
    }

    /// A store that takes events.
    private struct EventStore: RecordStore {
        func sink(for kind: RecordKind, context: StageContext) throws -> any RecordSink {
            RecordingSink()
        }
        func takes(_ kind: RecordKind) -> Bool { kind == .events }
        func probe() async throws {}
        func close() async {}
    }

    @Test("a store of events is no place for outcomes")
    func outcomesToStore() throws {
        var context = StageContext.testing(
            clock: ManualClock().clock, resources: ["store": EventStore()],
            catalogue: Catalogue(codecs: [
                Codec(name: "report-ready", summary: "", yields: nil, encoder: FakeEncoder())
            ]))
        let stage = try PublishStage.decode(["to": "store"])
        context.input = .events
        guard case .recordSink = try stage.build(context) else {
            Issue.record("not a sink of records")
            return
        }
        context.input = .outcomes
        #expect(throws: PipelineError.self) { _ = try stage.build(context) }
    }

    @Test("a publish is a sink of what comes in: of records, or behind a generate of outcomes")
    func roles() throws {
        var context = StageContext.testing(
            clock: ManualClock().clock, resources: ["bus": FakeBus()],
            catalogue: Catalogue(codecs: [
                Codec(name: "report-ready", summary: "", yields: nil, encoder: FakeEncoder())
            ]))
        let stage = try PublishStage.decode(["to": "bus", "topic": "t"])
        context.input = .requests
        guard case .recordSink = try stage.build(context) else {
            Issue.record("not a sink of records")
            return
        }
        context.input = .outcomes
        guard case .outcomeSink = try stage.build(context) else {
            Issue.record("not a sink of outcomes")
            return
        }
    }
}
