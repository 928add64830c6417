import Memory
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("The stages keep what their roles promise", .timeLimit(.minutes(5)))
struct RoleConformanceTests {
    /// Keeps the lines in memory.
    private struct FakeLineOutput: LineOutput {
        let written = Journal<Bytes>()
        func append(_ records: [OutgoingRecord]) async throws {
            for record in records { written.note(record.payload) }
        }
        func probe() async throws {}
        func close() async {}
    }

    private let time = ManualClock()
    private let bus = FakeBus()
    private let lines = FakeLineOutput()

    private var producer: TopicProducer {
        TopicProducer(bus: bus, topic: "ready", partitions: nil)
    }

    @Test("a dedupe", arguments: TransformConformance.checks)
    func dedupe(_ check: TransformConformance.Check) async throws {
        let clock = time.clock
        try await check.run(
            TransformConformance {
                Deduplicator(
                    memory: ProcessDedupeMemory(window: .seconds(60), maxKeys: 10, clock: clock),
                    passesUnsettled: false,
                    key: { DedupeStage.Key.caseID.of($0) })
            })
    }

    @Test("a publish of records to a topic", arguments: RecordSinkConformance.checks)
    func topicOfRecords(_ check: RecordSinkConformance.Check) async throws {
        let sink = TopicRecordSink(producer: producer, key: .automatic, stage: "out")
        try await check.run(RecordSinkConformance(sink) { [bus] in bus.sent.count })
    }

    @Test("a publish of records to lines", arguments: RecordSinkConformance.checks)
    func linesOfRecords(_ check: RecordSinkConformance.Check) async throws {
        let sink = LineRecordSink(lines: lines)
        try await check.run(RecordSinkConformance(sink) { [lines] in lines.written.count })
    }

    @Test("a publish of outcomes to a topic", arguments: OutcomeSinkConformance.checks)
    func topicOfOutcomes(_ check: OutcomeSinkConformance.Check) async throws {
        let sink = TopicOutcomeSink(producer: producer, key: .automatic, encoder: FakeEncoder())
        try await check.run(
            OutcomeSinkConformance(sink) { [bus] in bus.sent.entries.map(\.record.payload) })
    }

    @Test("a publish of outcomes to lines", arguments: OutcomeSinkConformance.checks)
    func linesOfOutcomes(_ check: OutcomeSinkConformance.Check) async throws {
        let sink = LineOutcomeSink(lines: lines, encoder: FakeEncoder())
        try await check.run(OutcomeSinkConformance(sink) { [lines] in lines.written.entries })
    }

    @Test("a cache of outcomes", arguments: OutcomeSinkConformance.checks)
    func cache(_ check: OutcomeSinkConformance.Check) async throws {
        let layout = CachedOutcomes(
            cache: MemoryCache(capacityBytes: 1 << 20, clock: time.clock), key: .report,
            timeToLive: .seconds(60), encoder: FakeEncoder(),
            context: .testing(clock: time.clock, stage: "answers"))
        try await check.run(
            OutcomeSinkConformance(OutcomeCacheSink(layout: layout)) {
                await layout.lookup((0...9).map { .testing($0) }).compactMap(\.self)
            })
    }
}
