public import PipelineCore

/// What every ``Bus`` must do, as checks that anybody can run against an implementation:
///
/// ```swift
/// @Test(arguments: BusConformance.checks)
/// func `the embedded bus`(_ check: BusConformance.Check) async throws {
///     try await check.run(BusConformance { try EmbeddedBus(…) })
/// }
/// ```
///
/// Checks share nothing: each makes a bus of its own and topics with names that nobody else uses.
public struct BusConformance: Sendable {
    public typealias Check = ConformanceCheck<BusConformance>

    private let makeBus: @Sendable () async throws -> any Bus
    /// A payload of that many bytes is more than the bus accepts.
    private let tooLarge: Int
    /// How long one step may take before the check fails.
    let limit: Duration

    /// - Parameters:
    ///   - tooLarge: bytes of a payload that the bus must refuse.
    ///   - limit: how long one step may take; a change of a group's members counts as one.
    ///   - makeBus: connects to the bus under test; called once or more by each check.
    public init(
        tooLarge: Int = 2 << 20, limit: Duration = .seconds(30),
        makeBus: @escaping @Sendable () async throws -> any Bus
    ) {
        self.makeBus = makeBus
        self.tooLarge = tooLarge
        self.limit = limit
    }

    /// All of them.
    public static let checks: [Check] =
        topicChecks + readingChecks + positionChecks + groupChecks + producingChecks
        + browsingChecks

    /// Runs `body` on a bus and a topic of its own.
    func withTopic(
        partitions: Int = 1, _ body: (any Bus, String) async throws -> Void
    ) async throws {
        let bus = try await makeBus()
        let topic = "conformance-\(RandomSource().uuid())"
        do {
            try await bus.ensureTopic(topic, partitions: partitions)
            try await body(bus, topic)
        } catch {
            await bus.close()
            throw error
        }
        await bus.close()
    }

    /// Sends all, and fails if the bus refuses any.
    func send(_ records: [OutgoingRecord], to topic: String, _ bus: any Bus) async throws {
        let producer = try await bus.producer()
        let refused = try await within(limit, "sending \(records.count) records") {
            try await producer.send(records, to: topic)
        }
        await producer.close()
        try require(refused.isEmpty, "the bus refused \(refused)")
    }

    /// `count` records whose payloads are their numbers.
    func numbered(_ range: Range<Int>, key: ((Int) -> String)? = nil) -> [OutgoingRecord] {
        range.map { number in
            OutgoingRecord(
                key: key.map { Array($0(number).utf8)[...] },
                payload: Array(String(number).utf8)[...])
        }
    }
}

extension Record {
    /// The number that ``BusConformance/numbered(_:key:)`` put into the payload; −1 for anything
    /// else.
    var number: Int { Int(String(decoding: payload, as: UTF8.self)) ?? -1 }
}

extension BusConformance {
    private static let producingChecks = [
        Check("a send returns once the bus has every record") { suite in
            try await suite.withTopic { bus, topic in
                let producer = try await bus.producer()
                var numbers = 0
                for size in [1, 0, 100, 3] {
                    let records = suite.numbered(numbers..<numbers + size)
                    let refused = try await within(suite.limit, "sending") {
                        try await producer.send(records, to: topic)
                    }
                    try require(refused.isEmpty, "the bus refused \(refused)")
                    numbers += size
                }
                await producer.close()
                let reading = try await suite.readAll(
                    numbers, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers, Array(0..<numbers), "the records")
            }
        },
        Check("a record that is too large is refused alone") { suite in
            try await suite.withTopic { bus, topic in
                var records = suite.numbered(0..<5)
                records[2].payload = .init(repeating: 7, count: suite.tooLarge)
                let sent = records
                let producer = try await bus.producer()
                let refused = try await within(suite.limit, "sending") {
                    try await producer.send(sent, to: topic)
                }
                await producer.close()
                try requireEqual(Array(refused.keys), [2], "the refused records")
                try requireEqual(
                    refused[2]!.disposition, .permanent, "the refusal's disposition")
                let reading = try await suite.readAll(
                    4, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers, [0, 1, 3, 4], "the others")
            }
        },
        Check("sends made at the same time are answered each on its own") { suite in
            try await suite.withTopic { bus, topic in
                let producer = try await bus.producer()
                try await within(suite.limit, "ten sends at once") {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for number in 0..<10 {
                            let range = number * 100..<(number + 1) * 100
                            let records = suite.numbered(range) { "\($0)" }
                            group.addTask {
                                let refused = try await producer.send(records, to: topic)
                                try require(refused.isEmpty, "the bus refused \(refused)")
                            }
                        }
                        try await group.waitForAll()
                    }
                }
                await producer.close()
                let reading = try await suite.readAll(
                    1000, bus, Subscription(topic: topic, group: topic))
                try requireEqual(reading.numbers.sorted(), Array(0..<1000), "the records")
            }
        },
    ]
}

extension BusConformance {
    private static let topicChecks = [
        Check("a topic gets the partitions asked for, once") { suite in
            try await suite.withTopic(partitions: 3) { bus, topic in
                try await bus.ensureTopic(topic, partitions: 3)
                try await bus.ensureTopic(topic, partitions: 5)
                let store = FakePositions()
                let consumer = try await bus.consumer(
                    Subscription(topic: topic, group: "\(topic)-group"), positions: store)
                try await suite.untilAssigned(consumer, topic, store, partitions: 1)
                await consumer.close()
                try requireEqual(
                    store.stored(topic), [0: 0, 1: 0, 2: 0], "the positions of a new topic")
            }
        },
        Check("a topic without a wanted count gets the bus's own") { suite in
            try await suite.withTopic { bus, topic in
                try await bus.ensureTopic("\(topic)-default", partitions: nil)
                try await suite.send(suite.numbered(0..<3), to: "\(topic)-default", bus)
            }
        },
        Check("a probe of a bus that is there succeeds") { suite in
            let bus = try await suite.makeBus()
            try await within(suite.limit, "the probe") { try await bus.probe() }
            await bus.close()
        },
    ]

    /// Waits for records that don't come until the store knows that many partitions, then gives up
    /// waiting.
    func untilAssigned(
        _ consumer: any BusConsumer, _ topic: String, _ store: FakePositions, partitions: Int
    ) async throws {
        try await within(limit, "the group's assignment") {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    do {
                        let fetch = try await nextInTheEnd(consumer)
                        throw ConformanceFailure("records where none were sent: \(fetch.advances)")
                    } catch is CancellationError {}
                }
                group.addTask {
                    try await store.wait(for: topic) { $0.count >= partitions }
                }
                try await group.next()
                group.cancelAll()
                try await group.waitForAll()
            }
        }
    }
}
