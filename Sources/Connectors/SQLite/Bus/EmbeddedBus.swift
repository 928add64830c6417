public import Metrics
public import PipelineCore
internal import Synchronization

/// A log of topics with partitions in a SQLite file, for one process that runs pipelines.
///
/// What `send` acknowledged survives a power failure. Partitions are shared among the consumers of
/// a group in this process; what other processes append is seen within the poll interval. Old
/// messages go when a topic exceeds its retention, read or not, as in Kafka.
public final class EmbeddedBus: Bus {
    struct GroupKey: Hashable {
        var topic: String
        var group: String
    }

    public let database: SQLiteDatabase
    let clock: PipelineClock
    let retention: EmbeddedRetention
    let pollInterval: Duration?
    private let isMigrated = Mutex(false)
    private let topics = Mutex<[String: EmbeddedTopic]>([:])
    let metrics: MetricRegistry
    /// Where partitions of a topic end, as far as this process has seen.
    private let ends = Mutex<[String: [Int32: Int64]]>([:])
    private let groups = Mutex<[GroupKey: ConsumerGroup]>([:])

    /// Partitions of a topic for which nobody wanted a number.
    public static let defaultPartitions = 4

    /// - Parameters:
    ///   - pollInterval: how often to look for what other processes have appended; by default 500
    ///     ms, and never in memory. What this process appends wakes consumers at once.
    ///   - metrics: takes how far consumers are behind.
    public init(
        database: SQLiteDatabase, clock: PipelineClock, retention: EmbeddedRetention = .init(),
        pollInterval: Duration? = nil, metrics: MetricRegistry = MetricRegistry()
    ) {
        self.metrics = metrics
        self.database = database
        self.clock = clock
        self.retention = retention
        self.pollInterval = pollInterval ?? (database.isInMemory ? nil : .milliseconds(500))
    }

    public func ensureTopic(_ name: String, partitions: Int?) async throws {
        let count = partitions ?? Self.defaultPartitions
        guard count > 0 else {
            throw PipelineError.fatal(
                .topicInvalid, "topic \(name) needs at least one partition, not \(count)")
        }
        try await migrate()
        let topic = try await database.write {
            try EmbeddedTopic.create(name, partitions: count, in: $0)
        }
        topics.withLock { $0[name] = topic }
    }

    public func consumer(
        _ subscription: Subscription, positions: (any PositionStore)?
    ) async throws -> any BusConsumer {
        let topic = try await topic(subscription.topic)
        return EmbeddedConsumer(
            bus: self, topic: topic, subscription: subscription, positions: positions)
    }

    public func producer() async throws -> any BusProducer { EmbeddedProducer(bus: self) }

    public func probe() async throws { try await database.probe() }

    public var backend: Backend? { database.backend }

    public func close() async { await database.close() }

    /// Partitions have been seen to end there.
    func seen(_ ends: [Int32: Int64], of topic: String) {
        self.ends.withLock { all in
            all[topic, default: [:]].merge(ends) { max($0, $1) }
        }
    }

    func knownEnd(of partition: Int, in topic: String) -> Int64? {
        ends.withLock { $0[topic]?[Int32(partition)] }
    }

    /// - Throws: `fatal` `unknown-topic`.
    func topic(_ name: String) async throws -> EmbeddedTopic {
        if let known = topics.withLock({ $0[name] }) { return known }
        try await migrate()
        guard let topic = try await database.read({ try EmbeddedTopic.load(name, from: $0) })
        else {
            throw PipelineError.fatal(
                .unknownTopic, "\(database.path) has no topic \(name); create it first")
        }
        topics.withLock { $0[name] = topic }
        return topic
    }

    /// Changes a group, and wakes its members if that gave somebody work.
    func withGroup<Result: Sendable>(
        _ key: GroupKey, partitions: Int, _ body: (inout ConsumerGroup) -> Result
    ) -> Result {
        let (result, isChanged) = groups.withLock { groups in
            var group = groups[key] ?? ConsumerGroup(partitions: partitions)
            let before = group
            let result = body(&group)
            groups[key] = group.members.isEmpty ? nil : group
            return (result, group != before)
        }
        if isChanged { database.topicSignals.send(for: key.topic) }
        return result
    }

    private func migrate() async throws {
        if isMigrated.withLock({ $0 }) { return }
        try await database.migrate(BusSchema.migration)
        isMigrated.withLock { $0 = true }
    }
}

extension EmbeddedBus {
    /// Moves the positions of groups that are named after a stage, `pipeline.stage`, within
    /// somebody's transaction. Those of a group that is there under the new name stay as they are.
    ///
    /// - Returns: what was moved, in sentences without a full stop.
    public static func rename(
        _ renaming: StateRenaming, _ connection: SQLiteConnection
    ) throws -> [String] {
        guard try connection.hasTable("bus_positions") else { return [] }
        var moved: [String] = []
        var groups: [String] = []
        try connection.forEach("SELECT DISTINCT group_name FROM bus_positions") {
            groups.append($0.text(0))
        }
        for group in groups {
            guard let renamed = renamed(group, renaming.old, renaming.new) else { continue }
            if groups.contains(renamed) {
                throw PipelineError.fatal(
                    .stateOwned,
                    "the consumer group \(renamed) has positions of its own, which can't be"
                        + " merged with those of \(group)")
            }
            try renaming.check(.intake)
            try connection.run(
                "UPDATE bus_positions SET group_name = ?2 WHERE group_name = ?1", group, renamed)
            moved.append("the consumer group \(group) is \(renamed) now")
        }
        return moved
    }

    private static func renamed(_ group: String, _ old: StateName, _ new: StateName) -> String? {
        let parts = group.split(separator: ".", maxSplits: 1)
        guard parts.count == 2, parts[0] == old.pipeline else { return nil }
        guard let part = old.part else { return "\(new.pipeline).\(parts[1])" }
        return parts[1] == part ? "\(new.pipeline).\(new.part ?? part)" : nil
    }
}

extension EmbeddedBus {
    /// Looks whether topics are there. Only reads.
    ///
    /// - Parameter connection: `nil` for a file that is not there yet.
    public static func findings(
        on topics: [TopicNeed], _ connection: SQLiteConnection?
    ) throws -> [ResourceFinding] {
        let hasTopics = try connection?.hasTable("bus_topics") ?? false
        return try topics.map { need in
            let subject = ResourceNeed.topic(need).subject
            let topic = hasTopics ? try EmbeddedTopic.load(need.name, from: connection!) : nil
            if let topic {
                return ResourceFinding(subject, .ok, partitions(topic.partitions.count))
            }
            switch need.creation {
            case .atStart(let count):
                return ResourceFinding(
                    subject, .ok,
                    "not there: `run` creates it with \(partitions(count ?? defaultPartitions))")
            case .atFirstMessage(let count):
                return ResourceFinding(
                    subject, .ok,
                    "not there: created at the first message with "
                        + partitions(count ?? defaultPartitions))
            case .never:
                return ResourceFinding(
                    subject, .wrong, "not there",
                    hint: "add \"create\": { \"partitions\": \(defaultPartitions) } to the input")
            }
        }
    }

    /// What speaks against stored positions being of the topic; `nil` when nothing does, or it is
    /// not there. Only reads.
    public static func contradiction(
        in topic: String, to stored: StoredPositions, _ connection: SQLiteConnection
    ) throws -> LogContradiction? {
        guard let topic = try find(topic, connection) else { return nil }
        let ends = try topic.ends(
            of: stored.next.keys.filter { $0 < topic.partitions.count }, in: connection)
        return try topic.contradiction(to: stored, ends: ends, in: connection)
    }

    /// What positions in a topic are kept under, whether it is there or not; `nil` in a file that
    /// is no bus. Only reads.
    public static func logName(
        of topic: String, _ connection: SQLiteConnection
    ) throws -> LogName? {
        guard try connection.hasTable("bus_topics") else { return nil }
        return try EmbeddedTopic.logName(topic, in: connection)
    }

    private static func find(
        _ topic: String, _ connection: SQLiteConnection
    ) throws -> EmbeddedTopic? {
        guard try connection.hasTable("bus_topics") else { return nil }
        return try EmbeddedTopic.load(topic, from: connection)
    }

    private static func partitions(_ count: Int) -> String {
        count == 1 ? "1 partition" : "\(count) partitions"
    }
}

extension EmbeddedBus: TopicBrowsing {
    /// Makes no file.
    public func extent(of topic: String, timeout: Duration) async throws -> LogExtent? {
        guard database.exists else { return nil }
        return try await database.read { connection in
            try Self.find(topic, connection)?.extent(in: connection)
        }
    }

    public func reader(
        of topic: String, partition: Int32, offsets: Range<Int64>, timeout: Duration
    ) async throws -> any TopicReader {
        EmbeddedTopicReader(
            database: database, topic: topic, partition: partition, end: offsets.upperBound,
            position: offsets.lowerBound)
    }
}

/// Reads a partition in order, a transaction for each part.
private final class EmbeddedTopicReader: TopicReader {
    private static let maxBytes = 1 << 20

    private let database: SQLiteDatabase
    private let topic: String
    private let partition: Int32
    private let end: Int64
    private let position: Mutex<Int64>

    init(
        database: SQLiteDatabase, topic: String, partition: Int32, end: Int64, position: Int64
    ) {
        self.database = database
        self.topic = topic
        self.partition = partition
        self.end = end
        self.position = Mutex(position)
    }

    func next(limit: Int) async throws -> [Record] {
        let start = position.withLock { $0 }
        if start >= end { return [] }
        let records = try await database.read { [topic, partition] connection -> [Record] in
            guard let numbers = try EmbeddedTopic.load(topic, from: connection)?.partitions,
                numbers.indices.contains(Int(partition))
            else { return [] }
            var fetch = PartitionFetch(
                Subscription(
                    topic: topic, group: "", maxRecords: limit, maxBytes: Self.maxBytes),
                source: "")
            try fetch.read(
                Int(partition), number: numbers[Int(partition)], from: start, in: connection)
            return fetch.finish().records
        }.filter { $0.origin.offset < end }
        position.withLock { $0 = records.last.map { $0.origin.offset + 1 } ?? end }
        return records
    }
}

/// Appends to the topics of an embedded bus, one transaction for each `send`.
final class EmbeddedProducer: BusProducer {
    /// Bytes of key, payload and headers, as Kafka's default (`message.max.bytes`).
    private static let maxRecordBytes = 1 << 20

    private let bus: EmbeddedBus
    private let turn = Mutex(0)

    init(bus: EmbeddedBus) { self.bus = bus }

    func send(
        _ records: [OutgoingRecord], to topicName: String
    ) async throws -> [Int: PipelineError] {
        let topic = try await bus.topic(topicName)
        var refused: [Int: PipelineError] = [:]
        var parts = [[StoredMessage]](repeating: [], count: topic.partitions.count)
        for (index, record) in records.enumerated() {
            let message = StoredMessage(record)
            if message.byteCount > Self.maxRecordBytes {
                refused[index] = .permanent(
                    .recordTooLarge,
                    "a record of \(message.byteCount) bytes; at most \(Self.maxRecordBytes)")
            } else {
                parts[partition(of: record.key, among: parts.count)].append(message)
            }
        }
        if refused.count == records.count { return refused }
        try await append(parts, to: topic)
        bus.database.topicSignals.send(for: topicName)
        return refused
    }

    func close() async {}

    /// Equal keys share a partition; without a key the partitions take turns.
    private func partition(of key: Bytes?, among count: Int) -> Int {
        guard let key else {
            return turn.withLock { turn in
                turn = (turn + 1) % count
                return turn
            }
        }
        return Int(unsafe Digest(of: key.span.bytes).low % UInt64(count))
    }

    private func append(_ parts: [[StoredMessage]], to topic: EmbeddedTopic) async throws {
        let (clock, retention) = (bus.clock, bus.retention)
        let ends = try await bus.database.write { connection in
            var ends: [Int32: Int64] = [:]
            let now = clock.timestamp
            for (index, partition) in topic.partitions.enumerated() where !parts[index].isEmpty {
                var log = try PartitionLog(partition, in: connection)
                try log.append(parts[index], at: now)
                try log.trim(retention, partitions: topic.partitions.count, now: now)
                ends[Int32(index)] = log.nextOffset
            }
            return ends
        }
        bus.seen(ends, of: topic.name)
    }
}

/// A message as it is stored.
struct StoredMessage: Sendable {
    var key: Bytes?
    var payload: Bytes
    var isTombstone: Bool
    var headers: [UInt8]?

    init(_ record: OutgoingRecord) {
        key = record.key
        payload = record.payload
        isTombstone = record.isTombstone
        headers = HeaderCoding.encode(record.headers)
    }

    var byteCount: Int { (key?.count ?? 0) + payload.count + (headers?.count ?? 0) }
}
