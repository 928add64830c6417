import Concurrency
internal import Metrics
internal import PipelineCore
internal import PipelineTesting
internal import Synchronization
internal import Testing

@testable internal import Kafka

/// What a real broker can't be made to do on demand.
@Suite(.timeLimit(.minutes(1)))
struct MockClusterTests {
    private let cluster: MockCluster
    private static let produce: Int16 = 0
    private static let synchronizeGroup: Int16 = 14
    private static let rebalanceInProgress: Int32 = 27
    private static let messageTooLarge: Int32 = 10
    private static let notEnoughReplicas: Int32 = 19

    init() throws {
        cluster = try MockCluster()
        cluster.createTopic("topic", partitions: 1)
    }

    private func bus(
        _ properties: [String: String] = [:], metrics: MetricRegistry = MetricRegistry(),
        log: KafkaLog? = nil
    ) throws -> KafkaBus {
        var address = cluster.address
        address.properties = properties
        return try KafkaBus(address, metrics: metrics, log: log)
    }

    private func read(_ count: Int, _ consumer: any BusConsumer) async throws -> [Record] {
        var records: [Record] = []
        while records.count < count { records += try await consumer.next().records }
        return records
    }

    @Test func `records refused in one batch are sent again one by one`() async throws {
        let bus = try bus(["linger.ms": "50"])
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<1), to: "topic").isEmpty)
        // The batch of five, and then the third alone.
        let large = Self.messageTooLarge
        cluster.fail(apiKey: Self.produce, with: [large, 0, 0, large, 0, 0])
        let refused = try await producer.send(numbered(1..<6), to: "topic")
        await producer.close()
        #expect(Array(refused.keys) == [2])
        #expect(refused[2]?.code == "record-too-large")
    }

    @Test func `how far a consumer is behind is told while it has the partition`() async throws {
        let metrics = MetricRegistry()
        let bus = try bus(metrics: metrics)
        func lag(_ count: Int) -> Bool {
            metrics.exposition().contains(
                "penstock_consumer_lag_records{group=\"behind\",partition=\"0\",topic=\"topic\"}"
                    + " \(count)\n")
        }
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<5), to: "topic").isEmpty)
        let consumer = try await bus.consumer(
            Subscription(topic: "topic", group: "behind", maxRecords: 2), positions: FakePositions()
        )
        var left = 5
        while left > 0 {
            left -= try await consumer.next().records.count
            #expect(lag(left), "\(metrics.exposition())")
        }
        await consumer.close()
        #expect(!metrics.exposition().contains("penstock_consumer_lag_records{"))
        await producer.close()
    }

    @Test func `what producers hold and fail to deliver is counted by topic`() async throws {
        let metrics = MetricRegistry()
        func told(_ name: String, _ count: Int) -> Bool {
            metrics.exposition().contains("\(name){topic=\"topic\"} \(count)\n")
        }
        let producer = try await bus(["message.timeout.ms": "300"], metrics: metrics).producer()
        #expect(try await producer.send(numbered(0..<1), to: "topic").isEmpty)
        // The library counts a report until whoever hears it has returned.
        while !told("penstock_producer_queued_records", 0) { await Task.yield() }
        #expect(told("penstock_producer_failed_records_total", 0))
        cluster.setBroker(1, isUp: false)
        async let error = failure { _ = try await producer.send(numbered(0..<3), to: "topic") }
        while !told("penstock_producer_queued_records", 3) { await Task.yield() }
        #expect(await error?.code == "bus-timeout")
        #expect(told("penstock_producer_failed_records_total", 3))
        await producer.close()
    }

    /// librdkafka before 2.3.0 would abort the process.
    @Test func `a member that leaves before its first assignment harms nobody`() async throws {
        cluster.fail(
            apiKey: Self.synchronizeGroup,
            with: Array(repeating: Self.rebalanceInProgress, count: 1000))
        let hasJoined = AsyncEvent()
        let bus = try bus(["debug": "cgrp"]) { line in
            if line.message.contains("SyncGroup") { hasJoined.set() }
        }
        let consumer = try await bus.consumer(
            Subscription(topic: "topic", group: "early"), positions: FakePositions())
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await consumer.next() }
            group.addTask { try await hasJoined.wait() }
            _ = await group.nextResult()
            group.cancelAll()
        }
        await consumer.close()
    }

    @Test func `a lack of replicas is waited out`() async throws {
        let producer = try await bus().producer()
        cluster.fail(apiKey: Self.produce, with: [Self.notEnoughReplicas, Self.notEnoughReplicas])
        #expect(try await producer.send(numbered(0..<3), to: "topic").isEmpty)
        await producer.close()
    }

    @Test func `a producer that broke says so, and the next send has a new one`() async throws {
        let bus = try bus()
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<1), to: "topic").isEmpty)
        let session = try await (producer as! KafkaProducer).session(for: "topic")
        cluster.setBroker(1, isUp: false)
        let record = (index: 0, record: numbered(1..<2)[0])
        async let error = failure {
            if let failure = try await session.send([record], to: "topic").failure { throw failure }
        }
        session.breakForTest()
        #expect(await error?.code == "producer-broken")
        #expect(await error?.disposition == .retryable)
        cluster.setBroker(1, isUp: true)
        #expect(try await producer.send(numbered(1..<2), to: "topic").isEmpty)
        await producer.close()
    }

    @Test func `a full queue makes a send wait, not fail`() async throws {
        let producer = try await bus(["queue.buffering.max.messages": "10"]).producer()
        #expect(try await producer.send(numbered(0..<500), to: "topic").isEmpty)
        await producer.close()
    }

    @Test func `a send that can't be delivered in time may be repeated`() async throws {
        let producer = try await bus(["message.timeout.ms": "300"]).producer()
        #expect(try await producer.send(numbered(0..<1), to: "topic").isEmpty)
        cluster.setBroker(1, isUp: false)
        let error = await failure { _ = try await producer.send(numbered(0..<3), to: "topic") }
        #expect(error?.disposition == .retryable)
        #expect(error?.code == "bus-timeout")
        await producer.close()
    }

    @Test func `a send ends with its task`() async throws {
        let producer = try await bus().producer()
        cluster.setBroker(1, isUp: false)
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await producer.send(numbered(0..<3), to: "topic") }
            group.cancelAll()
            let result = await group.nextResult()
            #expect(throws: CancellationError.self) { try result!.get() }
        }
    }

    @Test
    func
        `a position that retention has overtaken goes on at what is left, and expects the old one`()
        async throws
    {
        let notes = Mutex<[String]>([])
        let bus = try bus { line in
            if line.facility == "POSITION" { notes.withLock { $0.append(line.message) } }
        }
        let producer = try await bus.producer()
        // The mock keeps 5 MiB of a partition.
        for batch in 0..<16 {
            let records = numbered(batch * 10..<(batch + 1) * 10, padding: 50_000)
            #expect(try await producer.send(records, to: "topic").isEmpty)
        }
        await producer.close()
        let store = FakePositions()
        store.set("topic", 0, to: 3)
        let consumer = try await bus.consumer(
            Subscription(topic: "topic", group: "late"), positions: store)
        let fetch = try await consumer.next()
        await consumer.close()
        #expect(fetch.advances[0].expected == 3)
        let first = fetch.records[0].origin.offset
        #expect(first > 3)
        #expect(fetch.records[0].number == Int(first))
        #expect(notes.withLock { $0.count } == 1)
        #expect(notes.withLock { $0[0].contains("offsets 3 to \(first - 1)") })
    }

    @Test func `a position beyond the end is an error that says what to do`() async throws {
        let bus = try bus()
        let store = FakePositions()
        store.set("topic", 0, to: 100)
        let consumer = try await bus.consumer(
            Subscription(topic: "topic", group: "ahead"), positions: store)
        let error = await failure { _ = try await consumer.next() }
        #expect(error?.code == "topic-recreated")
        #expect(error?.disposition == .retryable)
        // The store was put right: the same consumer goes on.
        store.set("topic", 0, to: 0)
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<2), to: "topic").isEmpty)
        #expect(try await read(2, consumer).map(\.number) == [0, 1])
        await consumer.close()
        await producer.close()
    }

    @Test func `a store that fails for a while delays the assignment and loses nothing`()
        async throws
    {
        let bus = try bus()
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<3), to: "topic").isEmpty)
        let away = PipelineError.retryable("store-unavailable", "the store is away")
        let store = FailingPositions(reading: Failures([away, away, away]))
        let consumer = try await bus.consumer(
            Subscription(topic: "topic", group: "flaky"), positions: store)
        for _ in 0..<3 {
            let error = await failure { _ = try await consumer.next() }
            #expect(error?.code == "store-unavailable")
        }
        #expect(try await read(3, consumer).map(\.number) == [0, 1, 2])
        await consumer.close()
        await producer.close()
    }

    @Test func `closing with a pending assignment, or without brokers, does not hang`() async throws
    {
        let bus = try bus()
        let consumer = try await bus.consumer(
            Subscription(topic: "topic", group: "pending"),
            positions: FailingPositions(
                reading: Failures([.retryable("store-unavailable", "the store is away")])))
        _ = await failure { _ = try await consumer.next() }
        await consumer.close()
        let error = await failure { _ = try await consumer.next() }
        #expect(error?.code == "consumer-closed")

        let stranded = try await bus.consumer(
            Subscription(topic: "topic", group: "stranded"), positions: FakePositions())
        let producer = try await bus.producer()
        #expect(try await producer.send(numbered(0..<1), to: "topic").isEmpty)
        stranded.settled(try await stranded.next().advances)
        await producer.close()
        cluster.setBroker(1, isUp: false)
        await stranded.close()
    }

    @Test func `a consumer says when no broker has answered for a while, and goes on afterwards`()
        async throws
    {
        let bus = try bus(["reconnect.backoff.max.ms": "100"])
        let producer = try await bus.producer()
        let consumer = try await bus.consumer(
            Subscription(topic: "topic", group: "patient"), positions: FakePositions())
        #expect(try await producer.send(numbered(0..<1), to: "topic").isEmpty)
        #expect(try await read(1, consumer).count == 1)
        cluster.setBroker(1, isUp: false)
        let error = await failure { _ = try await consumer.next() }
        #expect(error?.code == "bus-unavailable")
        #expect(error?.disposition == .retryable)
        cluster.setBroker(1, isUp: true)
        #expect(try await producer.send(numbered(1..<2), to: "topic").isEmpty)
        while true {
            do {
                #expect(try await read(1, consumer).map(\.number) == [1])
                break
            } catch let error as PipelineError where error.disposition == .retryable {}
        }
        await consumer.close()
        await producer.close()
    }
}
