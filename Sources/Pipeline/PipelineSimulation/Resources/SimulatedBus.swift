internal import Concurrency
public import PipelineCore
internal import Synchronization

/// A bus server of a simulated world: topics with partitions, and groups whose members are
/// simulated processes.
///
/// A process that was killed, or pauses for longer than the session time-out, loses its partitions;
/// what it had in hand then is still in its hands when it wakes.
public final class SimulatedBus: Bus {
    private struct State {
        /// Looked up, never iterated.
        var topics: [String: SimulatedTopic] = [:]
        var lastMember: UInt64 = 0
        var turn = 0
    }
    /// The largest payload in bytes.
    fileprivate static let largest = 1 << 20

    private let clock: PipelineClock
    let resource: SharedResource
    let sessionTimeout: Duration
    private let name: String
    private let defaultPartitions: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - name: tells it from other buses of its world.
    ///   - partitions: of a topic that is created without saying so.
    ///   - sessionTimeout: how long a dead process keeps its partitions.
    public init(
        clock: PipelineClock, name: String = "bus", partitions: Int = 1,
        sessionTimeout: Duration = .seconds(10),
        conditions: CallConditions = CallConditions()
    ) {
        self.clock = clock
        self.name = name
        self.sessionTimeout = sessionTimeout
        defaultPartitions = partitions
        resource = SharedResource(
            conditions: conditions,
            error: .retryable(.busUnavailable, "the simulated bus does not answer"))
    }

    func withTopic<T>(_ name: String, _ body: (inout SimulatedTopic) -> T) -> T {
        state.withLock { state in
            body(&state.topics[name, default: SimulatedTopic(partitions: defaultPartitions)])
        }
    }

    /// What positions in a topic are kept under.
    func logName(of topic: String) -> LogName {
        LogName("simulated:\(name)/\(topic)", formerly: topic)
    }

    func newMember() -> UInt64 {
        state.withLock { state in
            state.lastMember += 1
            return state.lastMember
        }
    }

    public func ensureTopic(_ name: String, partitions: Int?) async throws {
        try await resource.call { [self] in create(name, partitions: partitions) }
    }

    /// Creates a topic at once, if it is not there.
    public func create(_ name: String, partitions: Int?) {
        let count = partitions ?? defaultPartitions
        state.withLock { state in
            if state.topics[name] == nil {
                state.topics[name] = SimulatedTopic(partitions: count)
            }
        }
    }

    public func consumer(
        _ subscription: Subscription, positions: (any PositionStore)?
    ) async throws -> any BusConsumer {
        try await resource.call { [self] in _ = withTopic(subscription.topic) { $0 } }
        return SimulatedConsumer(bus: self, subscription: subscription, positions: positions)
    }

    public func producer() async throws -> any BusProducer { SimulatedProducer(bus: self) }

    /// Appends at once, and wakes whoever reads the topic.
    public func append(_ records: [OutgoingRecord], to topic: String) {
        let now = clock.timestamp
        let turn = state.withLock { state in
            state.turn += 1
            return state.turn
        }
        let signals = withTopic(topic) { topic in
            for record in records { topic.append(record, at: now, turn: turn) }
            return topic.signals
        }
        for member in signals { member.signal.send() }
    }

    /// The messages of a topic, by partition, in order.
    /// - Parameter offsets: where to begin in each partition; at the beginning where it says
    ///   nothing.
    public func messages(in topic: String, from offsets: [Int] = []) -> [[OutgoingRecord]] {
        withTopic(topic) { topic in
            topic.partitions.enumerated().map { partition, messages in
                let first = partition < offsets.count ? offsets[partition] : 0
                return messages[first...].map(\.record)
            }
        }
    }

    /// The offset of the next message of each partition.
    public func ends(of topic: String) -> [Int64] {
        withTopic(topic) { $0.partitions.map { Int64($0.count) } }
    }

    public func probe() async throws { try await resource.call {} }
    public func close() async {}
}

/// Sends to a simulated bus.
private struct SimulatedProducer: BusProducer {
    let bus: SimulatedBus

    /// When the answer is lost, all records have arrived, or only the first few.
    func send(_ records: [OutgoingRecord], to topic: String) async throws -> [Int: PipelineError] {
        let fits = records.map { $0.payload.count <= SimulatedBus.largest }
        let good = zip(records, fits).filter(\.1).map(\.0)
        guard !bus.resource.conditions.isIdeal, let process = SimulatedProcess.current else {
            bus.append(good, to: topic)
            return refusals(fits)
        }
        let fate = bus.resource.conditions.fate(in: process.simulator, bus.resource.error)
        var arriving = good.count
        if case .lost = fate.end { arriving = process.simulator.below(good.count + 1) }
        try await process.call(fate) { [bus, arriving] in
            bus.append(Array(good.prefix(arriving)), to: topic)
        }
        return refusals(fits)
    }

    private func refusals(_ fits: [Bool]) -> [Int: PipelineError] {
        var refused: [Int: PipelineError] = [:]
        for index in fits.indices where !fits[index] {
            refused[index] = .permanent(.recordTooLarge, "the message is too large")
        }
        return refused
    }

    func close() async {}
}

/// The log of a topic and its consumer groups, as the server of a simulated bus keeps them.
struct SimulatedTopic: Sendable {
    struct Message: Sendable {
        var record: OutgoingRecord
        var timestamp: Timestamp
    }
    struct Member: Sendable {
        let id: UInt64
        let signal: Signal
    }
    struct Group: Sendable {
        var members: [Member] = []
        /// Grows with every change of the members.
        var generation = 0
        /// Positions of consumers that have no position store.
        var committed: [Int32: Int64] = [:]

        /// The partitions of a member in this generation; every generation deals them out anew.
        func partitions(of member: UInt64, count: Int) -> [Int32]? {
            guard let index = members.firstIndex(where: { $0.id == member }) else { return nil }
            return (0..<count).filter { ($0 + generation) % members.count == index }
                .map(Int32.init)
        }
    }

    var partitions: [[Message]]
    /// Looked up, never iterated.
    var groups: [String: Group] = [:]
    /// Members of all groups, in the order in which they joined.
    var signals: [Member] = []

    init(partitions count: Int) { partitions = Array(repeating: [], count: count) }

    /// Equal keys go to the same partition.
    private func partition(for key: Bytes?, turn: Int) -> Int {
        guard let key else { return turn % partitions.count }
        return Int(Digest(of: key).low % UInt64(partitions.count))
    }

    mutating func append(_ record: OutgoingRecord, at now: Timestamp, turn: Int) {
        partitions[partition(for: record.key, turn: turn)].append(
            Message(record: record, timestamp: now))
    }

    mutating func join(_ member: Member, _ group: String) {
        groups[group, default: Group()].members.append(member)
        groups[group]?.generation += 1
        signals.append(member)
    }

    /// - Returns: whether it was a member.
    mutating func leave(_ member: UInt64, _ group: String) -> Bool {
        guard let index = groups[group]?.members.firstIndex(where: { $0.id == member })
        else { return false }
        groups[group]?.members.remove(at: index)
        groups[group]?.generation += 1
        signals.removeAll { $0.id == member }
        return true
    }

    func read(
        _ name: String, as source: String, from positions: [(partition: Int32, position: Int64)],
        _ subscription: Subscription
    ) -> Fetch {
        var fetch = Fetch(records: [], advances: [])
        var bytes = 0
        for (partition, position) in positions {
            var next = position
            let log = partitions[Int(partition)]
            while next < log.count, fetch.records.count < subscription.maxRecords {
                let message = log[Int(next)]
                bytes += message.record.payload.count
                if !fetch.records.isEmpty, bytes > subscription.maxBytes { break }
                fetch.records.append(
                    Record(
                        key: message.record.key, payload: message.record.payload,
                        headers: message.record.headers, timestamp: message.timestamp,
                        origin: Origin(source: name, partition: partition, offset: next),
                        ordinal: fetch.records.count))
                next += 1
            }
            if next > position {
                fetch.advances.append(
                    PositionAdvance(
                        source: source, partition: partition, expected: position, next: next))
            }
        }
        return fetch
    }
}
