internal import PipelineCore

/// The end of one partition, inside a write transaction.
struct PartitionLog {
    private let number: Int64
    private let connection: SQLiteConnection
    private(set) var nextOffset: Int64
    private var bytes: Int
    private var appended = 0

    init(_ number: Int64, in connection: SQLiteConnection) throws {
        self.number = number
        self.connection = connection
        let end = try connection.first(
            "SELECT next_offset, bytes FROM bus_partitions WHERE partition_no = ?1", number
        ) { ($0.int64(0), $0.int(1)) }
        (nextOffset, bytes) = end ?? (0, 0)
    }

    mutating func append(_ messages: [StoredMessage], at now: Timestamp) throws {
        let insert = try connection.statement(
            "INSERT INTO bus_messages VALUES(?1, ?2, ?3, iif(?6, \(BusSchema.tombstone), ?4), ?5)")
        for message in messages {
            let id = BusSchema.message(partition: number, offset: nextOffset)
            try insert.run(
                id, now, message.key, message.payload, message.headers,
                message.isTombstone ? 1 : 0)
            nextOffset += 1
            bytes += message.byteCount + EmbeddedRetention.overhead
        }
        appended += messages.count
        try store()
    }

    /// Deletes more than was appended, so that a backlog of old messages goes away by and by.
    mutating func trim(_ retention: EmbeddedRetention, partitions: Int, now: Timestamp) throws {
        let freed = try retention.apply(
            to: number, of: partitions, bytes: bytes, now: now, limit: 2 * appended + 64,
            in: connection)
        if freed == 0 { return }
        bytes -= freed
        try store()
    }

    private func store() throws {
        try connection.run(
            "UPDATE bus_partitions SET next_offset = ?2, bytes = ?3 WHERE partition_no = ?1",
            number, nextOffset, bytes)
    }
}

/// Collects a fetch from one or more partitions, inside a read transaction.
struct PartitionFetch {
    private struct Row {
        var partition: Int32
        var offset: Int64
        var timestamp: Timestamp
        var key: Range<Int>?
        var payload: Range<Int>?
        var headers: Range<Int>?
    }
    private let subscription: Subscription
    private let source: String
    private var rows: [Row] = []
    private var advances: [PositionAdvance] = []
    /// All bytes of the fetch: the records are slices of it.
    private var storage: [UInt8] = []
    private var payloadBytes = 0

    /// - Parameter source: what advances name the log by.
    init(_ subscription: Subscription, source: String) {
        self.subscription = subscription
        self.source = source
    }

    var isFull: Bool {
        rows.count >= subscription.maxRecords || payloadBytes >= subscription.maxBytes
    }

    mutating func read(
        _ partition: Int, number: Int64, from position: Int64, in connection: SQLiteConnection
    ) throws {
        let select = try connection.statement(
            """
            SELECT message_no, timestamp, key, nullif(payload, \(BusSchema.tombstone)), headers,
              ifnull(length(nullif(payload, \(BusSchema.tombstone))), 0)
            FROM bus_messages WHERE message_no >= ?1 AND message_no < ?2
            ORDER BY message_no LIMIT ?3
            """)
        let first = BusSchema.message(partition: number, offset: position)
        let end = BusSchema.message(partition: number + 1, offset: 0)
        var last: Int64?
        try select.scan(first, end, subscription.maxRecords - rows.count) { row in
            let size = row.int(5)
            guard rows.isEmpty || payloadBytes + size <= subscription.maxBytes else { return false }
            payloadBytes += size
            last = BusSchema.offset(message: row.int64(0))
            rows.append(
                Row(
                    partition: Int32(partition), offset: last!,
                    timestamp: Timestamp(microseconds: row.int64(1)),
                    key: row.isNull(2) ? nil : row.append(2, to: &storage),
                    payload: row.isNull(3) ? nil : row.append(3, to: &storage),
                    headers: row.isNull(4) ? nil : row.append(4, to: &storage)))
            return true
        }
        guard let last else { return }
        advances.append(
            PositionAdvance(
                source: source, partition: Int32(partition), expected: position,
                next: last + 1))
    }

    func finish() -> Fetch {
        let records = rows.enumerated().map { ordinal, row in
            Record(
                key: row.key.map { storage[$0] }, payload: storage[row.payload ?? 0..<0],
                isTombstone: row.payload == nil,
                headers: row.headers.map { HeaderCoding.decode(storage[$0]) } ?? [],
                timestamp: row.timestamp,
                origin: Origin(
                    source: subscription.topic, partition: row.partition, offset: row.offset),
                ordinal: ordinal)
        }
        return Fetch(records: records, advances: advances)
    }
}

/// How far a consumer has read one partition, and how far that has settled: a state machine without
/// I/O.
struct EmbeddedProgress: Sendable {
    /// Where to read next; `nil`: read the stored position first.
    private(set) var position: Int64?
    /// What has been handed out and is not settled: from its first offset to the one after its
    /// last.
    private var unsettled: [Int64: Int64] = [:]
    /// What has settled before something in front of it.
    private var ahead: [Int64: Int64] = [:]
    /// Everything before it has settled.
    private(set) var settled: Int64 = 0
    /// The position as it was last stored.
    private(set) var stored: Int64 = 0

    /// Nothing is in flight, nothing waits to be stored.
    func isIdle(storesPositions: Bool) -> Bool {
        unsettled.isEmpty && (!storesPositions || settled == stored)
    }

    mutating func start(at position: Int64) {
        self = EmbeddedProgress()
        self.position = position
        settled = position
        stored = position
    }

    mutating func handOut(to next: Int64) {
        guard let position else { return }
        unsettled[position] = next
        self.position = next
    }

    /// Unknown steps are ignored: they were rewound.
    mutating func settle(_ advance: PositionAdvance) {
        guard unsettled[advance.expected] == advance.next else { return }
        unsettled[advance.expected] = nil
        ahead[advance.expected] = advance.next
        while let next = ahead.removeValue(forKey: settled) { settled = next }
    }

    mutating func markStored(_ position: Int64) { stored = position }

    /// Forgets what is in flight; what has settled stays to be stored.
    mutating func rewind() {
        position = nil
        unsettled = [:]
        ahead = [:]
    }
}
