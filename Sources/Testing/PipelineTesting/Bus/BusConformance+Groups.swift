internal import Concurrency
internal import PipelineCore
internal import Synchronization

extension BusConformance {
    static let groupChecks = [
        Check("two members share the partitions, and one takes over when the other closes") {
            suite in
            try await suite.withTopic(partitions: 4) { bus, topic in
                let group = BusGroup(suite, bus, topic, store: FakePositions())
                try await group.run()
            }
        },
        Check("two groups read the same topic, each all of it") { suite in
            try await suite.withTopic(partitions: 2) { bus, topic in
                try await suite.send(suite.numbered(0..<50) { "\($0)" }, to: topic, bus)
                for group in ["one", "two"] {
                    let reading = try await suite.readAll(
                        50, bus, Subscription(topic: topic, group: "\(topic)-\(group)"))
                    try requireEqual(reading.numbers.sorted(), Array(0..<50), "group \(group)")
                }
            }
        },
    ]
}

/// Two members under load: records are sent in rounds, each round awaited, until both have had
/// some; then one closes, and the other gets everything.
private struct BusGroup: Sendable {
    private struct State {
        var members: [Set<Int>] = [[], []]
        var accepted: [Int: Int] = [:]
    }
    private final class Progress: Sendable {
        let state = Mutex(State())
        let changed = Signal()
    }
    private let suite: BusConformance
    private let bus: any Bus
    private let topic: String
    private let store: FakePositions
    private let progress = Progress()
    private static let perRound = 32

    init(_ suite: BusConformance, _ bus: any Bus, _ topic: String, store: FakePositions) {
        self.suite = suite
        self.bus = bus
        self.topic = topic
        self.store = store
    }

    func run() async throws {
        let subscription = Subscription(topic: topic, group: topic)
        let first = try await bus.consumer(subscription, positions: store)
        let second = try await bus.consumer(subscription, positions: store)
        let producer = try await bus.producer()
        let rounds = try await withThrowingTaskGroup(of: Int?.self) { group in
            group.addTask {
                try await follow(second, 1)
                return nil
            }
            group.addTask { try await drive(first, producer) }
            var rounds = 0
            while let finished = try await group.next() {
                guard let finished else { continue }
                rounds = finished
                group.cancelAll()
            }
            return rounds
        }
        await second.close()
        await producer.close()
        let accepted = progress.state.withLock { $0.accepted }
        try requireEqual(
            accepted.keys.sorted(), Array(0..<rounds * Self.perRound), "the accepted records")
        let repeated = accepted.filter { $0.value != 1 }
        try require(repeated.isEmpty, "accepted more than once: \(repeated.keys.sorted())")
    }

    /// - Returns: how many rounds were sent.
    private func drive(_ first: any BusConsumer, _ producer: any BusProducer) async throws -> Int {
        var rounds = 0
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await follow(first, 0) }
            rounds = try await send(producer, from: 0) { $0.allSatisfy { !$0.isEmpty } }
            group.cancelAll()
            try await group.waitForAll()
        }
        await first.close()
        progress.state.withLock { $0.members[1] = [] }
        return try await send(producer, from: rounds) { $0[1].count == 4 }
    }

    /// Sends rounds until the members' partitions satisfy `condition`.
    private func send(
        _ producer: any BusProducer, from start: Int,
        until condition: @escaping @Sendable ([Set<Int>]) -> Bool
    ) async throws -> Int {
        var round = start
        repeat {
            let range = round * Self.perRound..<(round + 1) * Self.perRound
            let records = suite.numbered(range) { "key \($0 % Self.perRound)" }
            try await within(suite.limit, "a round of records through the group") {
                let refused = try await producer.send(records, to: topic)
                try require(refused.isEmpty, "the bus refused \(refused)")
                while progress.state.withLock({ $0.accepted.count }) < range.upperBound {
                    try await progress.changed.wait()
                }
            }
            round += 1
            try require(round < 20_000, "one member gets no records at all")
        } while !condition(progress.state.withLock { $0.members })
        return round
    }

    /// Reads as one member; what the store accepts counts, what it refuses is read again by whoever
    /// has it now.
    private func follow(_ consumer: any BusConsumer, _ member: Int) async throws {
        while true {
            do {
                let fetch = try await nextInTheEnd(consumer)
                for advance in fetch.advances { accept(fetch, advance, consumer, member) }
            } catch is CancellationError { return }
        }
    }

    private func accept(
        _ fetch: Fetch, _ advance: PositionAdvance, _ consumer: any BusConsumer, _ member: Int
    ) {
        do { try store.advance([advance]) } catch { return consumer.rewind([advance]) }
        consumer.settled([advance])
        let records = fetch.records.filter { $0.origin.partition == advance.partition }
        progress.state.withLock { state in
            state.members[member].insert(Int(advance.partition))
            for record in records { state.accepted[record.number, default: 0] += 1 }
        }
        progress.changed.send()
    }
}
