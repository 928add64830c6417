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
