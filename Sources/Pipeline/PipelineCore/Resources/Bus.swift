public import Metrics

/// A log of topics with partitions: Kafka, or a table that behaves like it.
public protocol Bus: Resource {
    /// Creates the topic if it is not there; an existing one stays as it is.
    /// - Parameter partitions: wanted count for a new topic; `nil` for the bus's own default.
    func ensureTopic(_ name: String, partitions: Int?) async throws

    /// Joins the subscription's group. Partitions come and go with the group's members; each starts
    /// from its stored position.
    ///
    /// - Parameter positions: where positions are kept; `nil` to keep them in the bus, committed
    ///   after settlement.
    func consumer(_ subscription: Subscription, positions: (any PositionStore)?) async throws
        -> any BusConsumer

    /// A producer whose sends are acknowledged by the bus (for Kafka: idempotent, all in-sync
    /// replicas).
    func producer() async throws -> any BusProducer
}

/// What to read.
public struct Subscription: Sendable {
    public enum Start: String, Sendable, CaseIterable { case earliest, latest }
    /// What to do when the topic turns out to be another one than the stored positions belong to.
    public enum NewTopicPolicy: String, Sendable, CaseIterable {
        /// Read nothing of it, and say so: ``PipelineError`` `topic-recreated`, retryable.
        case stop
        /// Read it from its start; what was left of the old one is lost with it.
        case fromStart = "from_start"
    }
    public var topic: String
    public var group: String
    /// Where to begin in a partition without a stored position.
    public var start: Start
    public var onNewTopic: NewTopicPolicy
    /// Most records in a fetch.
    public var maxRecords: Int
    /// Most payload bytes in a fetch, the first record excepted.
    public var maxBytes: Int
    public init(
        topic: String, group: String, start: Start = .earliest,
        onNewTopic: NewTopicPolicy = .stop, maxRecords: Int = 512, maxBytes: Int = 4 << 20
    ) {
        self.topic = topic
        self.group = group
        self.start = start
        self.onNewTopic = onNewTopic
        self.maxRecords = maxRecords
        self.maxBytes = maxBytes
    }
}

/// Records read together, of one topic and one or more of its partitions.
public struct Fetch: Sendable {
    /// In order within each partition; ordinals count from 0.
    public var records: [Record]
    /// One for each partition with records. `expected` continues the previous fetch's `next`.
    public var advances: [PositionAdvance]
    public init(records: [Record], advances: [PositionAdvance]) {
        self.records = records
        self.advances = advances
    }
}

/// A member of a consumer group, used by one task.
public protocol BusConsumer: Sendable {
    /// The next records, as soon as there are any. Blocks no thread.
    /// - Throws: `CancellationError`; ``PipelineError`` of which the retryable ones may be called
    ///   again.
    func next() async throws -> Fetch
    /// These records have settled: a hint for lag tools, or the truth where the bus keeps the
    /// positions. Must not block.
    func settled(_ advances: [PositionAdvance])
    /// These did not settle: read the stored positions again and go on from there.
    func rewind(_ advances: [PositionAdvance])
    /// These did not settle and will not for a while: hand nothing out of their partitions until
    /// then.
    func rewind(_ advances: [PositionAdvance], after pause: Duration)
    /// Reads the stored positions of all its partitions again, and goes on from there.
    func rewindAll()
    /// Commits what has settled and leaves the group.
    func close() async
}

extension BusConsumer {
    /// Knows no pauses.
    public func rewind(_ advances: [PositionAdvance], after pause: Duration) { rewind(advances) }
}

/// A message to be sent.
public struct OutgoingRecord: Sendable {
    public var key: Bytes?
    public var payload: Bytes
    /// Sent without a payload, which is not the same as an empty one.
    public var isTombstone: Bool
    public var headers: [Header]
    public init(
        key: Bytes?, payload: Bytes, isTombstone: Bool = false, headers: [Header] = []
    ) {
        self.key = key
        self.payload = payload
        self.isTombstone = isTombstone
        self.headers = headers
    }
}

/// Sends to topics.
public protocol BusProducer: Sendable {
    /// Sends the records and waits until the bus has acknowledged every one.
    ///
    /// - Returns: what the bus refuses for good (too large, …), by index into `records`.
    /// - Throws: ``PipelineError``, retryable, when it is unknown whether all have arrived: send
    ///   all again; permanent when the topic takes nothing at all from this sender.
    func send(_ records: [OutgoingRecord], to topic: String) async throws -> [Int: PipelineError]
    /// Waits for what is in flight and releases the connection.
    func close() async
}

/// A bus whose topics can be read beside the groups: no group is joined, nobody's position moves,
/// no topic is made. What operators are told of a topic is read this way.
public protocol TopicBrowsing: Bus {
    /// What a topic holds now; `nil` when it is not there, or this user may not see it.
    ///
    /// - Throws: ``PipelineError`` `bus-unavailable` when nobody answers within `timeout`.
    func extent(of topic: String, timeout: Duration) async throws -> LogExtent?

    /// Reads one partition's records in order, from the first offset up to the last: those that it
    /// still holds, and none that came later.
    ///
    /// - Parameter timeout: how long the next records are waited for.
    func reader(
        of topic: String, partition: Int32, offsets: Range<Int64>, timeout: Duration
    ) async throws -> any TopicReader
}

/// What a log holds.
public struct LogExtent: Sendable, Hashable {
    public var log: LogName
    /// For each partition the first offset that it still has, and the one that its next record
    /// gets.
    public var ranges: [Int32: Range<Int64>]
    public init(log: LogName, ranges: [Int32: Range<Int64>]) {
        self.log = log
        self.ranges = ranges
    }

    /// What speaks against reading the partition from there, in a sentence without a full stop;
    /// `nil` when nothing does.
    public func objection(to offset: Int64, in partition: Int32) -> String? {
        guard let range = ranges[partition] else {
            return "\(log.key) has no partition \(partition) any more"
        }
        if offset >= range.lowerBound && offset <= range.upperBound { return nil }
        let held =
            range.isEmpty
            ? "partition \(partition) of \(log.key) holds no record, and ends at offset"
                + " \(range.upperBound)"
            : "partition \(partition) of \(log.key) holds the offsets \(range.lowerBound) to"
                + " \(range.upperBound - 1), and ends at \(range.upperBound)"
        return offset > range.upperBound
            ? "\(held): \(offset) lies beyond that"
            : "\(held): \(offset) lies before that, and what was there is gone"
    }
}

/// Reads a partition of a topic once, used by one task.
public protocol TopicReader: Sendable {
    /// The next records, as they lie there; none at the end.
    ///
    /// - Parameter limit: most records. A megabyte of payloads is enough, too.
    /// - Throws: ``PipelineError`` `bus-unavailable` when none come in time.
    func next(limit: Int) async throws -> [Record]
}

extension MetricDeclaration {
    /// What the connectors to buses have in common; once in a list, whatever their number.
    public static let ofBuses = [consumerLag]

    /// Of assigned partitions.
    public static let consumerLag = gauge(
        "penstock_consumer_lag_records",
        "Records of a partition that have not been read, as far as the broker has told; absent while others read it.",
        labels: "topic", "partition", "group")
}
