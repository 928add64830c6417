internal import Kafka
internal import PipelineCore
internal import PipelineTesting
internal import Testing

/// A real broker, and none.
@Suite(.timeLimit(.minutes(2)))
struct KafkaBrokerTests {
    @Test func `an unknown host is told as such, and may be tried again`() async throws {
        let bus = try KafkaBus(ResourceAddress(url: "kafka://no-such-host.invalid:9092")!)
        let error = await failure { try await bus.probe() }
        #expect(error?.disposition == .retryable)
        #expect(error?.code == "bus-unavailable")
        #expect(error?.message.contains("no-such-host.invalid:9092") == true)
    }

    @Test func `a port where nobody listens is told as such, and may be tried again`() async throws
    {
        let bus = try KafkaBus(ResourceAddress(url: "kafka://127.0.0.1:1")!)
        let error = await failure { try await bus.ensureTopic("any", partitions: 1) }
        #expect(error?.disposition == .retryable)
        #expect(error?.code == "bus-unavailable")
        #expect(error?.message.contains("127.0.0.1:1") == true)
        #expect(error?.message.contains("refused") == true)
    }

    @Test func `a topic's bad name can't be mended by trying again`() async throws {
        let bus = try KafkaServer.bus()
        let error = await failure { try await bus.ensureTopic("no spaces", partitions: 1) }
        #expect(error?.disposition == .fatal)
        #expect(error?.code == "topic-invalid")
    }

    @Test func `a consumer waits for its topic to appear`() async throws {
        let bus = try KafkaServer.bus()
        let topic = KafkaServer.uniqueTopic("late")
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: topic), positions: FakePositions())
        let error = await failure { _ = try await consumer.next() }
        #expect(error?.code == "topic-missing")
        #expect(error?.disposition == .retryable)
        try await bus.ensureTopic(topic, partitions: 1)
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<1), to: topic).isEmpty)
        let fetch = try await consumer.next()
        #expect(fetch.records.map(\.number) == [0])
        await consumer.close()
        await producer.close()
    }

    @Test(arguments: [0, 3, 10] as [Int64])
    func `offsets that a foreign tool resets change nothing`(_ reset: Int64) async throws {
        let bus = try KafkaServer.bus()
        let topic = KafkaServer.uniqueTopic("reset")
        try await bus.ensureTopic(topic, partitions: 1)
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<10), to: topic).isEmpty)
        await producer.close()
        let store = FakePositions()
        let subscription = Subscription(topic: topic, group: topic, maxRecords: 5)

        let first = try await bus.consumer(subscription, positions: store)
        let fetch = try await first.next()
        try store.advance(fetch.advances)
        first.settled(fetch.advances)
        await first.close()
        let position = fetch.advances[0].next
        let tool = try ForeignGroupTool(KafkaServer.address(), group: topic)
        #expect(try tool.committed(topic, [0]) == [0: position])
        try tool.reset(topic, to: [0: reset])

        let second = try await bus.consumer(subscription, positions: store)
        var numbers: [Int] = []
        while numbers.count < 10 - Int(position) {
            let fetch = try await second.next()
            try store.advance(fetch.advances)
            numbers += fetch.records.map(\.number)
        }
        await second.close()
        #expect(numbers == Array(Int(position)..<10))
    }

    @Test func `a consumer slower than its broker is not left waiting`() async throws {
        let bus = try KafkaServer.bus([
            "queued.min.messages": "10", "fetch.message.max.bytes": "100",
        ])
        let topic = KafkaServer.uniqueTopic("slow")
        try await bus.ensureTopic(topic, partitions: 1)
        let producer = try await bus.producer()
        // As many fetches as sends: each fills the queue, and a stall takes a second.
        for step in 0..<150 {
            let records = numbered(step * 20..<(step + 1) * 20)
            #expect(try await producer.send(records, to: topic).isEmpty)
        }
        await producer.close()
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: topic), positions: FakePositions())
        var count = try await consumer.next().records.count
        let start = ContinuousClock.now
        while count < 3000 { count += try await consumer.next().records.count }
        #expect(start.duration(to: .now) < .seconds(30))
        await consumer.close()
    }

    @Test func `settled records are committed while the consumer only waits`() async throws {
        let bus = try KafkaServer.bus()
        let topic = KafkaServer.uniqueTopic("hint")
        try await bus.ensureTopic(topic, partitions: 1)
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<1), to: topic).isEmpty)
        await producer.close()
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: topic), positions: FakePositions())
        let advances = try await consumer.next().advances
        let tool = try ForeignGroupTool(KafkaServer.address(), group: topic)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try? await consumer.next() }
            consumer.settled(advances)
            while try tool.committed(topic, [0]) != [0: 1] {}
            group.cancelAll()
        }
        await consumer.close()
    }
}

struct KafkaConformanceTests {
    @Test(
        "Kafka keeps the contract of a bus:", .timeLimit(.minutes(3)),
        arguments: BusConformance.checks)
    func conformance(_ check: BusConformance.Check) async throws {
        try await check.run(BusConformance { try KafkaServer.bus() })
    }
}
