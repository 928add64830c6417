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
    private let groups = Mutex<[GroupKey: ConsumerGroup]>([:])

    /// Partitions of a topic for which nobody wanted a number.
    public static let defaultPartitions = 4

    /// - Parameters:
    ///   - pollInterval: how often to look for what other processes have appended; by default 500
    ///     ms, and never in memory. What this process appends wakes consumers at once.
    public init(
        database: SQLiteDatabase, clock: PipelineClock, retention: EmbeddedRetention = .init(),
        pollInterval: Duration? = nil
    ) {
        self.database = database
        self.clock = clock
        self.retention = retention
        self.pollInterval = pollInterval ?? (database.isInMemory ? nil : .milliseconds(500))
    }

    public func ensureTopic(_ name: String, partitions: Int?) async throws {
        let count = partitions ?? Self.defaultPartitions
        guard count > 0 else {
            throw PipelineError.fatal(
                "invalid-argument", "topic \(name) needs at least one partition, not \(count)")
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

    public func close() async { await database.close() }

    /// - Throws: `fatal` `unknown-topic`.
    func topic(_ name: String) async throws -> EmbeddedTopic {
        if let known = topics.withLock({ $0[name] }) { return known }
        try await migrate()
        guard let topic = try await database.read({ try EmbeddedTopic.load(name, from: $0) })
        else {
            throw PipelineError.fatal(
                "unknown-topic", "\(database.path) has no topic \(name); create it first")
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
        if isChanged { database.topicSignals.ring(key.topic) }
        return result
    }

    private func migrate() async throws {
        if isMigrated.withLock({ $0 }) { return }
        try await database.migrate(BusSchema.migration)
        isMigrated.withLock { $0 = true }
    }
}
