import Glibc
import Metrics
import PipelineCore
import PipelineTesting
import Testing

@testable import SQLite

struct EmbeddedBusTests {
    let folder = TemporaryFolder()
    let topic = "requests"

    private func bus(
        _ database: SQLiteDatabase = .inMemory(), partitions: Int = 1,
        retention: EmbeddedRetention = .init(), pollInterval: Duration? = nil
    ) async throws -> EmbeddedBus {
        let bus = EmbeddedBus(
            database: database, clock: .system, retention: retention, pollInterval: pollInterval)
        try await bus.ensureTopic(topic, partitions: partitions)
        return bus
    }

    private func records(_ texts: [String], key: String? = nil) -> [OutgoingRecord] {
        texts.map {
            OutgoingRecord(key: key.map { Array($0.utf8)[...] }, payload: Array($0.utf8)[...])
        }
    }

    private func texts(_ fetch: Fetch) -> [String] {
        fetch.records.map { String(decoding: $0.payload, as: UTF8.self) }
    }

    @Test func `Key, payload, headers and origin come back as they were sent`() async throws {
        let bus = try await bus()
        let headers = [Header("a", "1"), Header("a", ""), Header("ä", "€")]
        let sent = OutgoingRecord(key: [0, 255], payload: [], headers: headers)
        #expect(try await bus.producer().send([sent, sent], to: topic).isEmpty)
        let fetch = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: nil
        ).next()
        let record = try #require(fetch.records.last)
        #expect(record.key == [0, 255])
        #expect(record.payload.isEmpty)
        #expect(record.headers == headers)
        #expect(record.origin == Origin(source: topic, partition: 0, offset: 1))
        #expect(record.ordinal == 1)
        let source = try await bus.topic(topic).log.key
        #expect(source.hasSuffix("/\(topic)"))
        #expect(
            fetch.advances == [
                PositionAdvance(source: source, partition: 0, expected: 0, next: 2)
            ])
    }

    @Test func `How far a consumer is behind is told while it has the partition`() async throws {
        let metrics = MetricRegistry()
        let bus = EmbeddedBus(database: .inMemory(), clock: .system, metrics: metrics)
        try await bus.ensureTopic(topic, partitions: 1)
        func lag(_ count: Int) -> Bool {
            metrics.exposition().contains(
                "penstock_consumer_lag_records{group=\"g\",partition=\"0\",topic=\"\(topic)\"}"
                    + " \(count)\n")
        }
        let producer = try await bus.producer()
        _ = try await producer.send(records(["a", "b", "c"]), to: topic)
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g", maxRecords: 2), positions: nil)
        _ = try await consumer.next()
        #expect(lag(1))
        // Appended while nobody reads.
        _ = try await producer.send(records(["d", "e"]), to: topic)
        #expect(lag(3))
        _ = try await consumer.next()
        #expect(lag(1))
        _ = try await consumer.next()
        #expect(lag(0))
        await consumer.close()
        #expect(!metrics.exposition().contains("penstock_consumer_lag_records{"))
    }

    @Test func `Equal keys stay in order in one partition, no key spreads`() async throws {
        let bus = try await bus(partitions: 8)
        let producer = try await bus.producer()
        _ = try await producer.send(records((0..<20).map(String.init), key: "k"), to: topic)
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: nil)
        let keyed = try await consumer.next()
        #expect(texts(keyed) == (0..<20).map(String.init))
        #expect(keyed.advances.count == 1)
        _ = try await producer.send(records((0..<16).map(String.init)), to: topic)
        let spread = try await consumer.next()
        #expect(Set(spread.records.map(\.origin.partition)).count == 8)
    }

    @Test func `A record that is too large is refused alone`() async throws {
        let bus = try await bus()
        let large = OutgoingRecord(key: nil, payload: [UInt8](repeating: 1, count: 1 << 20)[...])
        let over = OutgoingRecord(key: [1], payload: large.payload)
        let refused = try await bus.producer().send(
            [over, large] + records(["small"]), to: topic)
        #expect(refused.keys.sorted() == [0])
        #expect(refused[0]?.code == "record-too-large")
        #expect(refused[0]?.disposition == .permanent)
        let fetch = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: nil
        ).next()
        #expect(fetch.records.count == 2)
    }

    @Test func `A waiting consumer is woken by a send of this process`() async throws {
        let bus = try await bus()
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: nil)
        // In memory nothing polls: without the signal this would wait for ever.
        async let fetch = consumer.next()
        _ = try await bus.producer().send(records(["a"]), to: topic)
        #expect(try await texts(fetch) == ["a"])
    }

    @Test(.timeLimit(.minutes(1)))
    func `A consumer sees what another process has sent`() async throws {
        let path = folder.file("a.sqlite")
        let reading = try await bus(SQLiteDatabase(path: path), pollInterval: .milliseconds(1))
        let writing = try await bus(SQLiteDatabase(path: path))
        let consumer = try await reading.consumer(
            Subscription(topic: topic, group: "g"), positions: nil)
        async let fetch = consumer.next()
        _ = try await writing.producer().send(records(["a"]), to: topic)
        #expect(try await texts(fetch) == ["a"])
    }

    @Test func `Fetches keep to their bounds, the first record excepted`() async throws {
        let bus = try await bus()
        _ = try await bus.producer().send(records(["long one", "b", "c", "d"]), to: topic)
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g", maxRecords: 2, maxBytes: 3), positions: nil)
        #expect(try await texts(consumer.next()) == ["long one"])
        #expect(try await texts(consumer.next()) == ["b", "c"])
        #expect(try await texts(consumer.next()) == ["d"])
    }

    @Test func `Only what has settled is skipped by the next consumer`() async throws {
        let database = SQLiteDatabase(path: folder.file("a.sqlite"))
        let bus = try await bus(database)
        _ = try await bus.producer().send(records(["a", "b", "c"]), to: topic)
        let subscription = Subscription(topic: topic, group: "g", maxRecords: 1)
        let first = try await bus.consumer(subscription, positions: nil)
        first.settled(try await first.next().advances)
        _ = try await first.next()
        await first.close()
        let second = try await self.bus(SQLiteDatabase(path: folder.file("a.sqlite")))
            .consumer(subscription, positions: nil)
        #expect(try await texts(second.next()) == ["b"])
    }

    @Test func `Rewinding reads again from the stored position`() async throws {
        let bus = try await bus()
        _ = try await bus.producer().send(records(["a", "b"]), to: topic)
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g", maxRecords: 1), positions: nil)
        let fetch = try await consumer.next()
        _ = try await consumer.next()
        consumer.rewind(fetch.advances)
        #expect(try await texts(consumer.next()) == ["a"])
    }

    @Test func `A group without a position begins where its subscription says`() async throws {
        let bus = try await bus()
        let producer = try await bus.producer()
        _ = try await producer.send(records(["old"]), to: topic)
        let latest = try await bus.consumer(
            Subscription(topic: topic, group: "late", start: .latest), positions: nil)
        async let fetch = latest.next()
        while try await stored(in: bus) == 0 { await Task.yield() }
        _ = try await producer.send(records(["new"]), to: topic)
        #expect(try await texts(fetch) == ["new"])
    }

    private func stored(in bus: EmbeddedBus) async throws -> Int {
        try await bus.database.read {
            try $0.first("SELECT count(*) FROM bus_positions") { $0.int(0) } ?? 0
        }
    }

    @Test func `Members share partitions, and one takes over what another leaves`() async throws {
        let bus = try await bus(partitions: 2)
        let subscription = Subscription(topic: topic, group: "g")
        let first = try await bus.consumer(subscription, positions: nil)
        let second = try await bus.consumer(subscription, positions: nil)
        let producer = try await bus.producer()
        _ = try await producer.send(records(["a", "b"]), to: topic)
        let (one, two) = try await (first.next(), second.next())
        #expect(one.records.count == 1 && two.records.count == 1)
        #expect(one.records[0].origin.partition != two.records[0].origin.partition)
        first.settled(one.advances)
        second.settled(two.advances)
        await first.close()
        _ = try await producer.send(records(["c", "d"]), to: topic)
        #expect(try await second.next().records.count == 2)
    }

    @Test func `A group that another process has moved is left alone`() async throws {
        let bus = try await bus()
        _ = try await bus.producer().send(records(["a", "b"]), to: topic)
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g", maxRecords: 1), positions: nil)
        let fetch = try await consumer.next()
        try await bus.database.write { _ = try $0.run("UPDATE bus_positions SET next_offset = 2") }
        consumer.settled(fetch.advances)
        let error = await #expect(throws: PipelineError.self) { try await consumer.next() }
        #expect(error?.disposition == .fenced)
        #expect(error?.code == "position-moved")
    }

    @Test func `Positions of another file are refused instead of skipping messages`() async throws {
        let bus = try await bus()
        _ = try await bus.producer().send(records(["a"]), to: topic)
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: ScriptedPositions(position: 2))
        let error = await #expect(throws: PipelineError.self) { try await consumer.next() }
        #expect(error?.code == "topic-recreated")
    }

    @Test func `Two buses with one topic name do not share positions in a store of both`()
        async throws
    {
        let store = FakePositions()
        var read: [[String]] = []
        for (bus, texts) in [(try await bus(), ["a", "b", "c"]), (try await bus(), ["d", "e"])] {
            _ = try await bus.producer().send(records(texts), to: topic)
            let consumer = try await bus.consumer(
                Subscription(topic: topic, group: "g"), positions: store)
            let fetch = try await consumer.next()
            try store.advance(fetch.advances)
            read.append(self.texts(fetch))
        }
        #expect(read == [["a", "b", "c"], ["d", "e"]])
    }

    @Test func `A file that was brought back as it had been is found out by what was read last`()
        async throws
    {
        let store = FakePositions()
        let time = ManualClock()
        let (path, copy) = (folder.file("a.sqlite"), folder.file("copy.sqlite"))
        func open(_ path: String) async throws -> EmbeddedBus {
            let bus = EmbeddedBus(database: SQLiteDatabase(path: path), clock: time.clock)
            try await bus.ensureTopic(topic, partitions: 1)
            return bus
        }
        func consumer(
            _ bus: EmbeddedBus, _ policy: Subscription.NewTopicPolicy = .stop
        ) async throws -> any BusConsumer {
            try await bus.consumer(
                Subscription(topic: topic, group: "g", onNewTopic: policy, maxRecords: 2),
                positions: store)
        }
        let first = try await open(path)
        _ = try await first.producer().send(records(["a", "b"]), to: topic)

        try await first.database.checkpoint()
        await first.database.close()
        try await copyFile(path, to: copy)

        let again = try await open(path)
        _ = try await again.producer().send(records(["c", "d"]), to: topic)
        let reading = try await consumer(again)
        for _ in 0..<2 {
            let fetch = try await reading.next()
            try store.advance(fetch.advances)
            reading.settled(fetch.advances)
        }
        time.advance(by: .seconds(60))
        _ = try await again.producer().send(records(["e"]), to: topic)
        _ = try await reading.next()
        #expect(store.witnesses(of: topic)[0]?.offset == 3)
        await again.database.close()

        let restored = try await open(copy)
        _ = try await restored.producer().send(records(["x", "y", "z"]), to: topic)
        let error = await #expect(throws: PipelineError.self) {
            try await consumer(restored).next()
        }
        #expect(error?.code == "topic-recreated")
        #expect(store.stored(topic) == [0: 4])
        let anew = try await consumer(restored, .fromStart)
        #expect(try await texts(anew.next()) == ["a", "b"])
        #expect(try await texts(anew.next()) == ["x", "y"])
        await restored.database.close()
    }

    @Test func `A topic that nobody made is named`() async throws {
        let bus = try await bus()
        let error = await #expect(throws: PipelineError.self) {
            try await bus.producer().send(records(["a"]), to: "other")
        }
        #expect(error?.code == "unknown-topic")
        #expect(error?.message.contains("other") == true)
    }

    @Test func `Old messages go by size, and reading goes on behind them`() async throws {
        let bus = try await bus(retention: EmbeddedRetention(bytes: 10 * (100 + 32)))
        let producer = try await bus.producer()
        let payload = OutgoingRecord(key: nil, payload: [UInt8](repeating: 7, count: 100)[...])
        for _ in 0..<30 { _ = try await producer.send([payload], to: topic) }
        let fetch = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: nil
        ).next()
        #expect(fetch.records.map(\.origin.offset) == Array(20..<30))
        #expect(fetch.advances.first?.expected == 0)
        #expect(fetch.advances.first?.next == 30)
    }

    @Test func `Old messages go by age`() async throws {
        let time = ManualClock()
        let bus = EmbeddedBus(
            database: .inMemory(), clock: time.clock,
            retention: EmbeddedRetention(age: .seconds(10)))
        try await bus.ensureTopic(topic, partitions: 1)
        let producer = try await bus.producer()
        _ = try await producer.send(records(["old"]), to: topic)
        time.advance(by: .seconds(11))
        _ = try await producer.send(records(["new"]), to: topic)
        let fetch = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: nil
        ).next()
        #expect(texts(fetch) == ["new"])
    }

    @Test func `Cancelling a waiting consumer ends its wait`() async throws {
        let bus = try await bus()
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: "g"), positions: nil)
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { _ = try await consumer.next() }
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }
}

private struct ScriptedPositions: PositionStore {
    var position: Int64
    func positions(of log: LogName, initial: [Int32: Int64]) async throws -> StoredPositions {
        StoredPositions(
            source: log.key, next: initial.mapValues { _ in position },
            partitions: Set(initial.keys))
    }
    func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {}
    func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {}
}

private func copyFile(_ path: String, to copy: String) async throws {
    let (from, to) = unsafe (open(path, O_RDONLY), open(copy, O_CREAT | O_WRONLY, 0o600))
    defer {
        close(from)
        close(to)
    }
    #expect(sendfile(to, from, nil, 1 << 30) > 0)
}
