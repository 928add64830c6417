internal import PipelineCore

/// Collects a fetch from one or more partitions, inside a read transaction.
struct PartitionFetch {
    private struct Row {
        var partition: Int32
        var offset: Int64
        var timestamp: Timestamp
        var key: Range<Int>?
        var payload: Range<Int>
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
            SELECT message_no, timestamp, key, payload, headers, length(payload)
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
                    payload: row.append(3, to: &storage),
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
                key: row.key.map { storage[$0] }, payload: storage[row.payload],
                headers: row.headers.map { HeaderCoding.decode(storage[$0]) } ?? [],
                timestamp: row.timestamp,
                origin: Origin(
                    source: subscription.topic, partition: row.partition, offset: row.offset),
                ordinal: ordinal)
        }
        return Fetch(records: records, advances: advances)
    }
}
