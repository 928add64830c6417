import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A source of a topic", .timeLimit(.minutes(5)))
struct BusSourceTests {
    private let bus = FakeBus()
    private let time = ManualClock()

    private let store = FakeDeadLetters()
    private let refusals = RecordingRefusals()

    private func keeper(_ bus: FakeBus, store: FakeDeadLetters? = nil) -> DeadLetterKeeper {
        var context = StageContext.testing(clock: time.clock)
        context.deadLetters = store
        context.refusals = refusals
        return DeadLetterKeeper(
            TopicProducer(bus: bus, topic: "requests.dead-letters", partitions: nil),
            input: "requests", resource: "bus", file: nil, context: context)
    }

    private var source: BusSource {
        BusSource(
            bus: bus, resource: "bus", subscription: Subscription(topic: "requests", group: "g"),
            create: 3,
            intake: Intake(decoder: nil, context: .testing(clock: ManualClock().clock)))
    }

    private func fetch(_ numbers: [Int]) -> Fetch {
        let (chunk, settlement) = Chunk.testing(numbers, source: "requests", at: 40)
        chunk.acknowledgement.settle(.acknowledged)
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
            chunk.acknowledgement.settle(
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
            try await chunk.acknowledgement.reject([
                Rejection(
                    chunk.records[0], stage: "batch", code: "conflict", reason: "known",
                    attempts: 2)
            ])
            chunk.acknowledgement.settle(.acknowledged)
        }) { try await bus.consumerCalls.reaches(1) }
        let (topic, letter) = bus.sent.entries[0]
        #expect(topic == "requests.dead-letters")
        #expect(letter.key == [1, 2])
        #expect(letter.payload == fetch.records[0].payload)
        let headers = letter.headers.map {
            "\($0.name)=\(String(decoding: $0.value ?? [], as: UTF8.self))"
        }
        #expect(
            headers == [
                "trace=abc", "penstock-stage=batch", "penstock-code=conflict",
                "penstock-reason=known", "penstock-attempts=2", "penstock-origin-topic=requests",
                "penstock-origin-partition=0", "penstock-origin-offset=40",
            ])
    }

    @Test("keeps in the store what the dead letters' topic does not take, untouched")
    func refusedDeadLetter() async throws {
        let bus = FakeBus(tooLarge: 3)
        var large = Record.testing(6, ordinal: 1)
        large.payload = [1, 2, 3]
        large.headers = [Header(name: "null", value: nil), Header("empty", "")]
        try await keeper(bus, store: store).keep([
            Rejection(.testing(1), stage: "in", code: "malformed", reason: "bad"),
            Rejection(large, stage: "in", code: "malformed", reason: "bad"),
        ])
        #expect(bus.sent.count == 1)
        let letter = try #require(store.letters.entries.first)
        #expect(store.letters.count == 1)
        #expect(letter.rejection.record.payload == [1, 2, 3])
        #expect(letter.rejection.record.headers == large.headers)
        #expect(letter.refusal.code == "too-large")
        #expect(letter.resource == "bus")
        #expect(refusals.keptElsewhere.entries == ["1 of requests in store"])
    }

    @Test(
        "keeps everything in the store while its topic takes nothing, and asks the topic again later",
        arguments: [
            PipelineError.permanent("bus-forbidden", "no right"),
            .fatal("topic-invalid", "can't be made"), .retryable("replicas-missing", "one of two"),
        ])
    func refusingTopic(error: PipelineError) async throws {
        let keeper = keeper(bus, store: store)
        let rejection = Rejection(.testing(1), stage: "in", code: "malformed", reason: "bad")
        bus.failures.add(error)
        for _ in 0..<3 { try await keeper.keep([rejection]) }
        #expect(store.letters.count == 3)
        #expect(bus.sent.count == 0)
        time.advance(by: .seconds(60))
        try await keeper.keep([rejection])
        #expect(store.letters.count == 3)
        #expect(bus.sent.count == 1)
    }

    @Test(
        "pauses a partition, ever longer, if nothing takes its dead letter, and reads the others on"
    )
    func pausedPartitions() async throws {
        let bus = FakeBus(tooLarge: 1)
        let source = BusSource(
            bus: bus, resource: "bus", subscription: Subscription(topic: "requests", group: "g"),
            create: nil,
            intake: Intake(decoder: FailingDecoder(), context: .testing(clock: time.clock)))
        var mixed = fetch([7])
        mixed.advances.append(
            PositionAdvance(source: "requests", partition: 3, expected: 5, next: 6))
        for _ in 0..<3 { bus.put(mixed) }
        bus.put(fetch([]))
        let chunks = Journal<Chunk>()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await source.run(
                    into: Outlet { chunk in
                        chunks.note(chunk)
                        chunk.acknowledgement.settle(.acknowledged)
                    })
            }
            try await chunks.reaches(1)
            group.cancelAll()
        }
        #expect(chunks.entries[0].records.isEmpty)
        let pauses = bus.pauses.entries
        #expect(pauses.map(\.partitions) == [[0], [0], [0]])
        #expect(bus.consumerCalls.entries.filter { $0 == "rewind" }.count == 3)
        for (pause, longest) in zip(pauses.map(\.pause), [1, 2, 4]) {
            #expect(
                (Duration.seconds(longest) * 0.75 ... .seconds(longest)).contains(pause))
        }
    }

    @Test("has not settled a refusal that the bus did not take for the moment")
    func unreachableDeadLetters() async throws {
        bus.failures.add(.retryable("bus-unavailable", "away"))
        let keeper = keeper(bus, store: store)
        let rejection = Rejection(.testing(1), stage: "in", code: "malformed", reason: "bad")
        await #expect(throws: PipelineError.self) { try await keeper.keep([rejection]) }
        #expect(bus.sent.count == 0)
        #expect(store.letters.count == 0)
        try await keeper.keep([rejection])
        #expect(bus.sent.count == 1)
        #expect(bus.created.count == 1)
    }

    @Test("creates the topic of dead letters again when it has gone")
    func missingTopic() async throws {
        let keeper = keeper(bus)
        let rejection = Rejection(.testing(1), stage: "in", code: "malformed", reason: "bad")
        bus.failures.add(.retryable("topic-missing", "gone"))
        await #expect(throws: PipelineError.self) { try await keeper.keep([rejection]) }
        try await keeper.keep([rejection])
        #expect(bus.created.entries == ["requests.dead-letters", "requests.dead-letters"])
    }
}

/// Refuses everything.
private struct FailingDecoder: RecordDecoder {
    func decode(_ records: inout [Record], stage: String, now: Timestamp) -> [Rejection] {
        defer { records = [] }
        return records.map { Rejection($0, stage: stage, code: "malformed", reason: "bad") }
    }
}
