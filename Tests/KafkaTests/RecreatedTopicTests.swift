internal import PipelineCore
internal import PipelineTesting
internal import Testing

@testable internal import Kafka

/// A topic that is made anew under its name, on a real broker.
@Suite(.timeLimit(.minutes(2)))
struct RecreatedTopicTests {
    private let bus: KafkaBus
    private let topic = KafkaServer.uniqueTopic("anew")
    private let store = FakePositions()

    init() throws { bus = try KafkaServer.bus() }

    private func make(_ range: Range<Int>, partitions: Int = 1) async throws {
        try await bus.ensureTopic(topic, partitions: partitions)
        try await send(range)
    }

    private func send(_ range: Range<Int>) async throws {
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(range), to: topic).isEmpty)
        await producer.close()
    }

    private func makeAnew(_ range: Range<Int>, partitions: Int = 1) async throws {
        try ForeignGroupTool(KafkaServer.address(), group: "tool").delete(topic)
        while true {
            do {
                try await make(range, partitions: partitions)
                return
            } catch let error as PipelineError where error.disposition == .retryable {}
        }
    }

    private func consumer(
        _ policy: Subscription.NewTopicPolicy = .stop
    ) async throws -> any BusConsumer {
        try await bus.consumer(
            Subscription(topic: topic, group: topic, onNewTopic: policy, maxRecords: 50),
            positions: store)
    }

    /// Reads until so many have come, settling each fetch.
    private func read(_ count: Int, _ consumer: any BusConsumer) async throws -> [Int] {
        var numbers: [Int] = []
        while numbers.count < count {
            do {
                let fetch = try await consumer.next()
                try store.advance(fetch.advances)
                consumer.settled(fetch.advances)
                numbers += fetch.records.map(\.number)
            } catch let error as PipelineError where error.code != "topic-recreated" {
                if error.disposition == .fatal { throw error }
            }
        }
        return numbers
    }

    /// Reads on until an error comes that is no passing one of a topic which is not there yet.
    private func refusal(of consumer: any BusConsumer) async throws -> PipelineError {
        do { _ = try await read(.max, consumer) } catch let error as PipelineError { return error }
        preconditionFailure("reading ended")
    }

    @Test(arguments: [450, 101, 50, 0])
    func `while nobody reads, nothing of it is skipped in silence`(_ count: Int) async throws {
        try await make(0..<101)
        let first = try await consumer()
        #expect(try await read(101, first) == Array(0..<101))
        await first.close()
        try await makeAnew(1000..<1000 + count)

        let second = try await consumer()
        let error = try await refusal(of: second)
        #expect(error.code == "topic-recreated")
        #expect(error.disposition == .retryable)
        #expect(error.message.contains("on_new_topic"))
        #expect(store.stored(topic) == [0: 101])
        await second.close()
        if count == 0 { return }

        let third = try await consumer(.fromStart)
        #expect(try await read(count, third) == Array(1000..<1000 + count))
        await third.close()
        #expect(store.stored(topic) == [0: Int64(count)])
        let fourth = try await consumer()
        try await send(2000..<2003)
        #expect(try await read(3, fourth) == Array(2000..<2003))
        await fourth.close()
    }

    @Test(arguments: [450, 50])
    func `while it is being read, it is found out, and is read from its start if that is wanted`(
        _ count: Int
    ) async throws {
        try await make(0..<101)
        let first = try await consumer()
        #expect(try await read(101, first) == Array(0..<101))
        try await withThrowingTaskGroup(of: PipelineError.self) { group in
            group.addTask { try await refusal(of: first) }
            try await makeAnew(1000..<1000 + count)
            #expect(try await group.next()?.code == "topic-recreated")
        }
        // It stays so.
        #expect(try await refusal(of: first).code == "topic-recreated")
        await first.close()

        let second = try await consumer(.fromStart)
        #expect(try await read(count, second) == Array(1000..<1000 + count))
        await second.close()
    }

    @Test func `a position that an earlier version stored gets something to know its log by`()
        async throws
    {
        try await make(0..<101)
        store.set(topic, 0, to: 60)
        let first = try await consumer()
        #expect(try await read(41, first) == Array(60..<101))
        await first.close()
        #expect(store.witnesses(of: topic)[0]?.offset ?? -1 >= 59)
        try await makeAnew(1000..<1450)
        let second = try await consumer()
        #expect(try await refusal(of: second).code == "topic-recreated")
        await second.close()
    }

    @Test func `a topic that has lost partitions is another one`() async throws {
        try await make(0..<60, partitions: 3)
        let first = try await consumer()
        #expect(try await read(60, first).count == 60)
        await first.close()
        try await makeAnew(1000..<1100, partitions: 2)
        let second = try await consumer()
        let error = try await refusal(of: second)
        #expect(error.code == "topic-recreated")
        #expect(error.message.contains("it had 3 partitions and has 2"))
        await second.close()
        let third = try await consumer(.fromStart)
        #expect(try await read(100, third).sorted() == Array(1000..<1100))
        await third.close()
    }

    /// A chain without a store: the group's offsets are the truth. Kafka drops them with their
    /// topic, but one that is committed a moment later counts for the new one.
    @Test func `a group's offset that was committed too late is not taken for the new topic's`()
        async throws
    {
        func consumer(
            _ policy: Subscription.NewTopicPolicy = .stop
        ) async throws -> any BusConsumer {
            try await bus.consumer(
                Subscription(topic: topic, group: topic, onNewTopic: policy, maxRecords: 200),
                positions: nil)
        }
        func next(_ consumer: any BusConsumer) async throws -> Fetch {
            while true {
                do { return try await consumer.next() } catch let error as PipelineError
                    where error.disposition == .retryable && error.code != "topic-recreated"
                {}
            }
        }
        try await make(0..<101)
        let first = try await consumer()
        var read: [PositionAdvance] = []
        while read.last?.next != 101 { read += try await next(first).advances }
        try await makeAnew(1000..<1450)
        first.settled(read)
        await first.close()
        let tool = try ForeignGroupTool(KafkaServer.address(), group: topic)
        #expect(try tool.committed(topic, [0]) == [0: 101])

        let second = try await consumer()
        let error = await #expect(throws: PipelineError.self) { _ = try await next(second) }
        #expect(error?.code == "topic-recreated")
        await second.close()
        let third = try await consumer(.fromStart)
        #expect(try await next(third).records.first?.number == 1000)
        await third.close()
    }

    @Test func `what stands in an offset's metadata is a witness only if Penstock wrote it`() {
        let witness = LogWitness(offset: 7, digest: .max)
        #expect(witness.note == "penstock:1:7:ffffffffffffffff")
        #expect(LogWitness(note: witness.note) == witness)
        for foreign in ["", "penstock:1:7", "penstock:2:7:1", "penstock:1:-7:1", "{}", "a:b:7:1"] {
            #expect(LogWitness(note: foreign) == nil)
        }
    }

    @Test func `what was read up to a transaction's marker is committed behind it`() async throws {
        try await bus.ensureTopic(topic, partitions: 1)
        let transaction = try ForeignTransaction(KafkaServer.address(), id: topic)
        try transaction.send("7", to: topic)
        let consumer = try await consumer()
        #expect(try await read(1, consumer) == [7])
        #expect(store.stored(topic) == [0: 1])
        let tool = try ForeignGroupTool(KafkaServer.address(), group: topic)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try? await consumer.next() }
            while try tool.committed(topic, [0]) != [0: 2] {}
            group.cancelAll()
        }
        // The next record continues what the store has.
        try transaction.send("8", to: topic)
        #expect(try await read(1, consumer) == [8])
        #expect(store.stored(topic) == [0: 3])
        await consumer.close()
    }
}
