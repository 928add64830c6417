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

    let makeBus: @Sendable () async throws -> any Bus
    /// A payload of that many bytes is more than the bus accepts.
    let tooLarge: Int
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
