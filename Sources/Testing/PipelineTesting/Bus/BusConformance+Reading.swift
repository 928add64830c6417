internal import PipelineCore

extension BusConformance {
    static let readingChecks = [
        Check("records of a partition arrive in the order of their sending") { suite in
            try await suite.withTopic(partitions: 4) { bus, topic in
                try await suite.send(suite.numbered(0..<400) { "key \($0 % 16)" }, to: topic, bus)
                let reading = try await suite.readAll(
                    400, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers.sorted(), Array(0..<400), "the records")
                let byKey = Dictionary(grouping: reading.records) { $0.key ?? [] }
                try requireEqual(byKey.count, 16, "the keys")
                for (key, records) in byKey {
                    let numbers = records.map(\.number)
                    let partitions = Set(records.map(\.origin.partition))
                    try requireEqual(partitions.count, 1, "partitions of the key \(key)")
                    try requireEqual(numbers, numbers.sorted(), "the order of one key")
                }
            }
        },
        Check("keys, headers and payloads arrive as they were sent") { suite in
            try await suite.withTopic { bus, topic in
                let sent = oddRecords
                let before = PipelineClock.system.timestamp
                try await suite.send(sent, to: topic, bus)
                let after = PipelineClock.system.timestamp
                let reading = try await suite.readAll(
                    sent.count, bus, Subscription(topic: topic, group: topic))
                for (found, wanted) in zip(reading.records, sent) {
                    try requireEqual(found.key, wanted.key, "the key")
                    try requireEqual(found.payload, wanted.payload, "the payload")
                    try requireEqual(found.isTombstone, wanted.isTombstone, "whether there is one")
                    try requireEqual(found.headers, wanted.headers, "the headers")
                    try require(
                        found.timestamp >= before.advanced(by: .seconds(-1))
                            && found.timestamp <= after.advanced(by: .seconds(1)),
                        "the timestamp \(found.timestamp) lies not between \(before) and \(after)")
                }
            }
        },
        Check("a fetch keeps to its limits, its first record excepted") { suite in
            try await suite.withTopic { bus, topic in
                let sizes = Array(repeating: 300, count: 30) + [5000, 300, 300, 5000]
                let sent = sizes.map {
                    OutgoingRecord(key: nil, payload: .init(repeating: 7, count: $0))
                }
                try await suite.send(sent, to: topic, bus)
                let byBytes = try await suite.readAll(
                    34, bus, Subscription(topic: topic, group: "\(topic)-bytes", maxBytes: 1000))
                try requireEqual(byBytes.records.map(\.payload.count), sizes, "the sizes")
                let byCount = try await suite.readAll(
                    34, bus, Subscription(topic: topic, group: "\(topic)-count", maxRecords: 7))
                try requireEqual(byCount.records.map(\.payload.count), sizes, "the sizes")
            }
        },
        Check("waiting for records ends with the task, and can begin again") { suite in
            try await suite.withTopic { bus, topic in
                let store = FakePositions()
                let subscription = Subscription(topic: topic, group: topic)
                let consumer = try await bus.consumer(subscription, positions: store)
                try await suite.untilAssigned(consumer, topic, store, partitions: 1)
                try await suite.send(suite.numbered(0..<1), to: topic, bus)
                var reading = BusReading(subscription)
                try await suite.read(1, consumer, into: &reading)
                await consumer.close()
            }
        },
        Check("10,000 records arrive in bounded fetches, each continuing the last") { suite in
            try await suite.withTopic(partitions: 3) { bus, topic in
                let sent = suite.numbered(0..<10_000) { "key \($0 % 64)" }
                try await suite.send(sent, to: topic, bus)
                let subscription = Subscription(topic: topic, group: topic)
                let store = FakePositions()
                let consumer = try await bus.consumer(subscription, positions: store)
                var reading = BusReading(subscription)
                try await suite.read(10_000, consumer, into: &reading, settling: store)
                await consumer.close()
                try requireEqual(reading.numbers.sorted(), Array(0..<10_000), "the records")
                try requireEqual(reading.next, store.stored(topic), "the stored positions")
                try requireEqual(
                    store.stored(topic).values.reduce(0, +), 10_000, "the sum of the positions")
            }
        },
    ]

    /// Reads `count` records through a consumer of its own, with positions of its own.
    func readAll(
        _ count: Int, _ bus: any Bus, _ subscription: Subscription
    ) async throws -> BusReading {
        let store = FakePositions()
        let consumer = try await bus.consumer(subscription, positions: store)
        var reading = BusReading(subscription)
        try await read(count, consumer, into: &reading, settling: store)
        await consumer.close()
        return reading
    }

    /// Records with everything that is allowed: no key, an empty key, bytes that are no text,
    /// repeated headers.
    fileprivate static var oddRecords: [OutgoingRecord] {
        [
            OutgoingRecord(key: nil, payload: [1, 2, 3]),
            OutgoingRecord(key: [], payload: [4]),
            OutgoingRecord(key: [0, 255, 0], payload: [0, 128, 255, 0]),
            OutgoingRecord(key: [9], payload: []),
            OutgoingRecord(key: [9], payload: [], isTombstone: true),
            OutgoingRecord(
                key: [1], payload: [5],
                headers: [
                    Header("trace", "a"), Header("trace", "b"), Header(name: "empty", value: []),
                    Header(name: "null", value: nil),
                    Header(name: "bytes", value: [0, 255]),
                    Header("a name that is longer than fifteen bytes", "größer"),
                ]),
            // Slices that do not begin at the start of their storage.
            OutgoingRecord(key: Array(0..<10)[3..<5], payload: Array(0..<100)[90...]),
        ]
    }
}

extension BusConformance {
    static let browsingChecks = [
        Check("a topic is read beside its groups, as far as it goes then") { suite in
            try await suite.withTopic(partitions: 2) { bus, topic in
                guard let bus = bus as? any TopicBrowsing else { return }
                try await suite.send(
                    suite.numbered(0..<300) { $0 % 3 == 0 ? "a" : "b" }, to: topic, bus)
                let extent = try requireValue(
                    try await bus.extent(of: topic, timeout: suite.limit), "extent")
                try require(extent.log.key.hasSuffix("/\(topic)"), "the log's name")
                try requireEqual(extent.ranges.keys.sorted(), [0, 1], "partitions")
                let count = extent.ranges.values.reduce(0) { $0 + $1.count }
                try requireEqual(count, 300, "records")
                try await suite.send(suite.numbered(300..<310) { _ in "a" }, to: topic, bus)
                var found: [Int] = []
                for (partition, offsets) in extent.ranges {
                    let records = try await suite.browse(bus, topic, partition, offsets, by: 7)
                    try requireEqual(
                        records.map(\.origin.offset), Array(offsets), "offsets of \(partition)")
                    try requireEqual(records.map(\.number), records.map(\.number).sorted())
                    found += records.map(\.number)
                }
                try requireEqual(found.sorted(), Array(0..<300), "the records")
            }
        },
        Check("reading beside the groups begins where it is told, and gives records untouched") {
            suite in
            try await suite.withTopic { bus, topic in
                guard let bus = bus as? any TopicBrowsing else { return }
                try await suite.send(Self.oddRecords, to: topic, bus)
                let all = try await suite.browse(bus, topic, 0, 0..<7, by: 100)
                try requireEqual(all.map(\.key), Self.oddRecords.map(\.key), "keys")
                try requireEqual(all.map(\.payload), Self.oddRecords.map(\.payload), "payloads")
                try requireEqual(all.map(\.headers), Self.oddRecords.map(\.headers), "headers")
                try requireEqual(
                    all.map(\.isTombstone), Self.oddRecords.map(\.isTombstone), "tombstones")
                let some = try await suite.browse(bus, topic, 0, 2..<5, by: 2)
                try requireEqual(some.map(\.origin.offset), [2, 3, 4], "a part")
                let none = try await suite.browse(bus, topic, 0, 4..<4, by: 2)
                try requireEqual(none.count, 0, "nothing")
            }
        },
        Check("reading beside a group takes nothing from it, and moves no position") { suite in
            try await suite.withTopic { bus, topic in
                guard let browsing = bus as? any TopicBrowsing else { return }
                try await suite.send(suite.numbered(0..<20), to: topic, bus)
                _ = try await suite.browse(browsing, topic, 0, 0..<20, by: 20)
                let reading = try await suite.readAll(
                    20, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers, Array(0..<20), "the group's records")
            }
        },
        Check("a topic that is not there is told, and not made") { suite in
            try await suite.withTopic { bus, topic in
                guard let bus = bus as? any TopicBrowsing else { return }
                for _ in 0..<2 {
                    let extent = try await bus.extent(of: "\(topic)-none", timeout: suite.limit)
                    try require(extent == nil, "found \(String(describing: extent))")
                }
            }
        },
    ]

    /// Reads a part of a topic to its end.
    private func browse(
        _ bus: any TopicBrowsing, _ topic: String, _ partition: Int32, _ offsets: Range<Int64>,
        by step: Int
    ) async throws -> [Record] {
        try await within(limit, "reading beside the groups") { [limit] in
            let reader = try await bus.reader(
                of: topic, partition: partition, offsets: offsets, timeout: limit)
            var records: [Record] = []
            while true {
                let next = try await reader.next(limit: step)
                try require(next.count <= step, "\(next.count) records at once")
                if next.isEmpty { return records }
                records += next
            }
        }
    }
}

/// What a consumer has handed out so far. Takes fetches in and holds each against the contract.
struct BusReading: Sendable {
    private let subscription: Subscription
    private(set) var records: [Record] = []
    private(set) var fetches: [Fetch] = []
    /// Where the next advance of each partition must begin.
    private(set) var next: [Int32: Int64] = [:]

    init(_ subscription: Subscription) { self.subscription = subscription }

    var numbers: [Int] { records.map(\.number) }
    var advances: [PositionAdvance] { fetches.flatMap(\.advances) }

    /// The consumer was told to rewind: these partitions may begin anywhere.
    mutating func forget(_ partitions: some Sequence<Int32>) {
        for partition in partitions { next[partition] = nil }
    }

    fileprivate mutating func take(_ fetch: Fetch) throws {
        try checkRecords(fetch)
        let byPartition = Dictionary(grouping: fetch.records, by: \.origin.partition)
        try requireEqual(
            fetch.advances.map(\.partition).sorted(), byPartition.keys.sorted(),
            "partitions of the advances, which must be those of the records, once each")
        for advance in fetch.advances {
            let place = "\(advance.source)[\(advance.partition)]"
            try require(
                advance.source.prefix { $0 != "#" }.hasSuffix("/\(subscription.topic)"),
                "the advance's source is \(advance.source), which does not say where the topic lies"
            )
            if let wanted = next[advance.partition] {
                try requireEqual(
                    advance.expected, wanted, "\(place): expected, which continues the last next")
            }
            let offsets = byPartition[advance.partition]!.map(\.origin.offset)
            try require(
                zip(offsets, offsets.dropFirst()).allSatisfy { $0 < $1 },
                "\(place): offsets out of order: \(offsets)")
            try require(
                advance.expected <= offsets.first! && offsets.last! < advance.next,
                "\(place): \(advance.expected)..<\(advance.next) does not cover \(offsets)")
            next[advance.partition] = advance.next
        }
        fetches.append(fetch)
        records += fetch.records
    }

    private func checkRecords(_ fetch: Fetch) throws {
        try require(!fetch.records.isEmpty, "a fetch without records")
        try require(
            fetch.records.count <= subscription.maxRecords,
            "\(fetch.records.count) records where at most \(subscription.maxRecords) are allowed")
        let bytes = fetch.records.reduce(0) { $0 + $1.payload.count }
        try require(
            fetch.records.count == 1 || bytes <= subscription.maxBytes,
            "\(bytes) payload bytes where at most \(subscription.maxBytes) are allowed")
        try requireEqual(
            fetch.records.map(\.ordinal), Array(fetch.records.indices), "the ordinals")
        for record in fetch.records {
            try requireEqual(record.origin.source, subscription.topic, "the record's source")
            try require(record.body == record.payload, "a body that is not the payload")
        }
    }
}

extension BusConformance {
    /// Reads until `count` records have arrived in all; with `store`, each fetch advances it and
    /// settles.
    func read(
        _ count: Int, _ consumer: any BusConsumer, into reading: inout BusReading,
        settling store: FakePositions? = nil
    ) async throws {
        while reading.records.count < count {
            let have = reading.records.count
            let fetch = try await within(limit, "reading \(count) records, of which came \(have)") {
                try await nextInTheEnd(consumer)
            }
            try reading.take(fetch)
            if let store {
                try store.advance(fetch.advances)
                consumer.settled(fetch.advances)
            }
        }
    }
}

/// The next fetch, asking again after errors that allow it, as a pipeline does.
func nextInTheEnd(_ consumer: any BusConsumer) async throws -> Fetch {
    while true {
        do { return try await consumer.next() } catch let error as PipelineError
            where error.disposition == .retryable
        { try Task.checkCancellation() }
    }
}
