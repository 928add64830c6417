import ConfigurationFields
import LocatedJSON
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A publish to a topic", .timeLimit(.minutes(5)))
struct PublishSinksTests {
    private func producer(_ bus: FakeBus) -> TopicProducer {
        TopicProducer(bus: bus, topic: "ready", partitions: 3)
    }

    private func records(_ bus: FakeBus, key: KeyTemplate = .automatic) -> TopicRecordSink {
        TopicRecordSink(producer: producer(bus), key: key, stage: "out")
    }

    private func outcomes(
        _ bus: FakeBus, key: KeyTemplate = .automatic,
        encoder: any OutcomeEncoder = FakeEncoder()
    ) -> TopicOutcomeSink {
        TopicOutcomeSink(producer: producer(bus), key: key, encoder: encoder)
    }

    private func record() -> Record {
        var record = Record.testing(5)
        record.key = [1]
        record.headers = [Header("trace", "abc")]
        return record
    }

    private func keyOfRecord(_ template: KeyTemplate) async throws -> Bytes? {
        let bus = FakeBus()
        let acknowledgement = Acknowledgement(RecordingSettlement())
        try await records(bus, key: template).deliver(
            Chunk(records: [record()], acknowledgement: acknowledgement))
        acknowledgement.settle(.acknowledged)
        return bus.sent.entries[0].record.key
    }

    private func keyOfOutcome(_ template: KeyTemplate) async throws -> Bytes? {
        let bus = FakeBus()
        _ = try await outcomes(bus, key: template).deliver(
            OutcomeBatch(number: 1, token: 1, outcomes: [.testing(5)]))
        return bus.sent.entries[0].record.key
    }

    @Test("gives a record its own key, its case's id, or none, as its settings say")
    func keysOfRecords() async throws {
        let id = Array(UUID.testing(5).description.utf8)[...]
        #expect(try await keyOfRecord(.automatic) == [1])
        #expect(try await keyOfRecord(.recordKey) == [1])
        #expect(try await keyOfRecord(.caseID) == id)
        #expect(try await keyOfRecord(.none) == nil)
    }

    @Test("gives an outcome its case's id or no key")
    func keysOfOutcomes() async throws {
        let id = Array(UUID.testing(5).description.utf8)[...]
        #expect(try await keyOfOutcome(.automatic) == id)
        #expect(try await keyOfOutcome(.caseID) == id)
        #expect(try await keyOfOutcome(.recordKey) == nil)
        #expect(try await keyOfOutcome(.none) == nil)
    }

    @Test("sends records as they came, and refuses what the bus refuses for good")
    func refusals() async throws {
        let bus = FakeBus(tooLarge: 3)
        var large = Record.testing(6, ordinal: 1)
        large.payload = [1, 2, 3]
        let settlement = RecordingSettlement()
        let acknowledgement = Acknowledgement(settlement)
        try await records(bus).deliver(
            Chunk(records: [record(), large], acknowledgement: acknowledgement))
        acknowledgement.settle(.acknowledged)
        #expect(bus.sent.entries.map(\.topic) == ["ready"])
        #expect(bus.sent.entries[0].record.headers.map(\.name) == ["trace"])
        #expect(settlement.rejections.entries.map(\.code) == ["too-large"])
        #expect(settlement.rejectedOrdinals == [1])
        #expect(bus.created.entries == ["ready"])
    }

    @Test(
        "ends the pipeline with a sentence when the bus refuses what it was not given",
        arguments: [2, -1])
    func strayRefusal(_ index: Int) async throws {
        let bus = FakeBus(refusing: [index])
        let settlement = RecordingSettlement()
        let acknowledgement = Acknowledgement(settlement)
        let ofRecords = await #expect(throws: PipelineError.self) {
            try await records(bus).deliver(
                Chunk(records: [record(), .testing(6)], acknowledgement: acknowledgement))
        }
        acknowledgement.settle(.acknowledged)
        #expect(settlement.rejections.count == 0)
        let ofOutcomes = await #expect(throws: PipelineError.self) {
            _ = try await outcomes(bus).deliver(
                OutcomeBatch(number: 1, token: 1, outcomes: [.testing(1), .testing(2)]))
        }
        #expect(ofRecords?.code == "bus-mismatch" && ofOutcomes?.code == "bus-mismatch")
        #expect(
            ofRecords?.message
                == "the bus refuses message \(index) of 2 for ready, which it was not given")
    }

    @Test("answers which announcements the bus refuses for good, and which can't be rendered")
    func refusedAnnouncements() async throws {
        let bus = FakeBus(tooLarge: 40)
        var large = Outcome.testing(2)
        large.report = Array(repeating: 7, count: 40)[...]
        var unreadable = Outcome.testing(3)
        unreadable.report = nil
        let refused = try await outcomes(bus, encoder: FakeReportEncoder()).deliver(
            OutcomeBatch(
                number: 1, token: 1, outcomes: [.testing(1), large, unreadable, .testing(4)]))
        #expect(Set(refused.map(\.caseNumber)) == [2, 3])
        #expect(Set(refused.map(\.code)) == ["too-large", "unreadable-outcome"])
        #expect(bus.sent.count == 2)
    }

    @Test("announces the same outcome with the same bytes, however often")
    func repeats() async throws {
        let bus = FakeBus()
        let publisher = outcomes(bus)
        bus.failures.add(.retryable("bus-unavailable", "away"))
        let batch = OutcomeBatch(number: 1, token: 1, outcomes: [.testing(1), .testing(2)])
        await #expect(throws: PipelineError.self) { _ = try await publisher.deliver(batch) }
        _ = try await publisher.deliver(batch)
        _ = try await publisher.deliver(batch)
        let payloads = bus.sent.entries.map(\.record.payload)
        #expect(payloads.prefix(2) == payloads.suffix(2))
    }

    @Test("can't announce without a codec")
    func codec() async throws {
        var context = StageContext.testing(
            clock: ManualClock().clock, stage: "out", resources: ["bus": FakeBus()])
        context.input = .outcomes
        let stage = try PublishStage.decode(["to": "bus", "topic": "ready"])
        let error = #expect(throws: PipelineError.self) { _ = try stage.build(context) }
        #expect(error?.code == "unknown-codec")
    }
}

/// Announces the report itself.
private struct FakeReportEncoder: OutcomeEncoder {
    func announcement(_ outcome: Outcome) throws -> OutgoingRecord {
        guard let report = outcome.report else {
            throw PipelineError.permanent("unreadable-outcome", "there is no report")
        }
        return OutgoingRecord(key: nil, payload: report)
    }
    func cached(_ outcome: Outcome) throws -> Bytes { outcome.report ?? [] }
    func recognize(_ bytes: Bytes, of id: UUID) -> CachedAnswer {
        .lasting(revision: 1)
    }
}
