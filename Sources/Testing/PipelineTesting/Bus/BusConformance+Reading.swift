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
    private static var oddRecords: [OutgoingRecord] {
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
