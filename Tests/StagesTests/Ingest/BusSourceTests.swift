import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A source of a topic", .timeLimit(.minutes(5)))
struct BusSourceTests {
    private let bus = FakeBus()

    private var source: BusSource {
        BusSource(
            bus: bus, subscription: Subscription(topic: "requests", group: "g"), create: 3,
            intake: Intake(decoder: nil, context: .testing(clock: ManualClock().clock)))
    }

    private func fetch(_ numbers: [Int]) -> Fetch {
        let (chunk, settlement) = Chunk.testing(numbers, source: "requests", at: 40)
        chunk.delivery.settle(.acknowledged)
        withExtendedLifetime(settlement) {}
        return Fetch(records: chunk.records, advances: chunk.advances)
    }

    /// Runs the source; each chunk goes to `take`.
    private func reading(
        _ take: @escaping @Sendable (Chunk) async throws -> Void, _ body: () async throws -> Void
    ) async throws {
        let source = source
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await source.run(into: Outlet(take)) }
            try await body()
            group.cancelAll()
        }
        await source.close()
    }

    @Test("tells the consumer what has settled and what has not")
    func settlement() async throws {
        bus.put(fetch([1]))
        bus.put(fetch([2]))
        try await reading({ chunk in
            chunk.delivery.settle(
                chunk.numbers == [1] ? .failed(.fenced("position-moved", "moved")) : .acknowledged)
        }) { try await bus.consumerCalls.reaches(2) }
        #expect(bus.consumerCalls.entries == ["rewind", "settled", "close"])
        #expect(bus.created.entries == ["requests"])
    }

    @Test("takes a chunk that was dropped on its way for not settled")
    func dropped() async throws {
        bus.put(fetch([1]))
        try await reading({ _ in }) { try await bus.consumerCalls.reaches(1) }
        #expect(bus.consumerCalls.entries == ["rewind", "close"])
    }

    @Test("keeps refused records in the dead letters, as they came, with the reason beside them")
    func deadLetters() async throws {
        var fetch = fetch([7])
        fetch.records[0].key = [1, 2]
        fetch.records[0].headers = [Header("trace", "abc")]
        bus.put(fetch)
        try await reading({ chunk in
            try await chunk.delivery.reject([
                Rejection(
                    chunk.records[0], stage: "batch", code: "conflict", reason: "known",
                    attempts: 2)
            ])
            chunk.delivery.settle(.acknowledged)
        }) { try await bus.consumerCalls.reaches(1) }
        let (topic, letter) = bus.sent.entries[0]
        #expect(topic == "requests.dead-letters")
        #expect(letter.key == [1, 2])
        #expect(letter.payload == fetch.records[0].payload)
        let headers = letter.headers.map {
            "\($0.name)=\(String(decoding: $0.value, as: UTF8.self))"
        }
        #expect(
            headers == [
                "trace=abc", "penstock-stage=batch", "penstock-code=conflict",
                "penstock-reason=known", "penstock-attempts=2", "penstock-origin-topic=requests",
                "penstock-origin-partition=0", "penstock-origin-offset=40",
            ])
    }

    @Test("stops rather than lose a record that the dead letters don't take")
    func refusedDeadLetter() async throws {
        let bus = FakeBus(tooLarge: 1)
        let producer = DeadLetterProducer(bus: bus, topic: "requests.dead-letters", partitions: nil)
        let error = await #expect(throws: PipelineError.self) {
            try await producer.keep([
                Rejection(.testing(1), stage: "in", code: "malformed", reason: "bad")
            ])
        }
        #expect(error?.disposition == .fatal)
        #expect(error?.code == "dead-letter-refused")
    }

    @Test("has not settled a refusal that the bus did not take, and takes it the next time")
    func unreachableDeadLetters() async throws {
        bus.failures.add(.retryable("bus-unavailable", "away"))
        let producer = DeadLetterProducer(bus: bus, topic: "requests.dead-letters", partitions: nil)
        let rejection = Rejection(.testing(1), stage: "in", code: "malformed", reason: "bad")
        await #expect(throws: PipelineError.self) { try await producer.keep([rejection]) }
        #expect(bus.sent.count == 0)
        try await producer.keep([rejection])
        #expect(bus.sent.count == 1)
        #expect(bus.created.count == 1)
    }
}
