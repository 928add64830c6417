import Concurrency
internal import Kafka
internal import PipelineCore
internal import PipelineTesting
internal import Synchronization
internal import Testing

/// Members come and go while records flow; the stored positions are the truth.
@Suite(.timeLimit(.minutes(2)))
struct RebalanceLoadTests {
    private static let count = 20_000
    private static let partitions = 6

    /// What the store has accepted, by number.
    private final class Ledger: Sendable {
        let store = FakePositions()
        private let accepted = Mutex<[Int: Int]>([:])
        let changed = Signal()

        /// As a ledger's transaction does: records and positions together, or neither.
        func accept(_ fetch: Fetch) throws {
            try accepted.withLock { accepted in
                try store.advance(fetch.advances)
                for record in fetch.records { accepted[record.number, default: 0] += 1 }
            }
            changed.send()
        }
        var count: Int { accepted.withLock { $0.count } }
        var repeated: [Int] { accepted.withLock { $0.filter { $0.value > 1 }.keys.sorted() } }
    }

    @Test func `nothing is lost and nothing accepted twice while members come and go`() async throws
    {
        let bus = try KafkaServer.bus()
        let topic = KafkaServer.uniqueTopic("rebalance")
        try await bus.ensureTopic(topic, partitions: Self.partitions)
        let ledger = Ledger()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await produce(bus, topic, ledger) }
            group.addTask { try await member(bus, topic, ledger, until: Self.count) }
            // This one leaves and comes back, three times.
            group.addTask {
                for part in 1...3 {
                    try await member(bus, topic, ledger, until: Self.count * part / 4)
                }
            }
            try await group.waitForAll()
        }
        #expect(ledger.count == Self.count)
        #expect(ledger.repeated == [])
        #expect(ledger.store.stored(topic).values.reduce(0, +) == Int64(Self.count))
    }

    /// Sends in steps, so that the flow lasts as long as the members need to come and go.
    private func produce(_ bus: any Bus, _ topic: String, _ ledger: Ledger) async throws {
        let producer = try await bus.producer()
        for start in stride(from: 0, to: Self.count, by: 500) {
            #expect(try await producer.send(numbered(start..<start + 500), to: topic).isEmpty)
            while ledger.count < start { try await ledger.changed.wait() }
        }
        await producer.close()
    }

    /// Reads as a member until the ledger holds `count` records; every ninth fetch is dropped and
    /// read again.
    private func member(
        _ bus: any Bus, _ topic: String, _ ledger: Ledger, until count: Int
    ) async throws {
        let consumer = try await bus.consumer(
            Subscription(topic: topic, group: topic, maxRecords: 64), positions: ledger.store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                var fetches = 0
                while ledger.count < count {
                    let fetch: Fetch
                    do { fetch = try await consumer.next() } catch is CancellationError { return }
                    fetches += 1
                    if fetches % 9 == 0 {
                        consumer.rewind(fetch.advances)
                        continue
                    }
                    do { try ledger.accept(fetch) } catch {
                        consumer.rewind(fetch.advances)
                        continue
                    }
                    consumer.settled(fetch.advances)
                }
            }
            group.addTask {
                while ledger.count < count {
                    do { try await ledger.changed.wait() } catch is CancellationError { return }
                }
            }
            try await group.next()
            group.cancelAll()
        }
        await consumer.close()
    }
}
