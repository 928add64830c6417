internal import PipelineCore

/// How much of a topic is kept. Applied when something is appended, to the partitions it went to.
public struct EmbeddedRetention: Sendable, Hashable {
    /// Bytes of keys, payloads and headers in a topic, shared evenly by its partitions.
    public var bytes: Int
    /// How long a message is kept at least, room permitting.
    public var age: Duration

    /// By default 2 GiB and seven days.
    public init(bytes: Int = 2 << 30, age: Duration = .seconds(7 * 24 * 3600)) {
        self.bytes = bytes
        self.age = age
    }

    /// What storing a message takes beside its bytes.
    static let overhead = 32

    /// Deletes what is too much or too old, the oldest first, at most `limit` messages.
    ///
    /// - Parameter bytes: what the partition holds.
    /// - Returns: bytes deleted.
    func apply(
        to partition: Int64, of partitions: Int, bytes held: Int, now: Timestamp, limit: Int,
        in connection: SQLiteConnection
    ) throws -> Int {
        let allowed = bytes / partitions
        let horizon = now.advanced(by: .zero - age)
        let first = BusSchema.message(partition: partition, offset: 0)
        var freed = 0
        var last: Int64?
        try connection.statement(
            """
            SELECT message_no, timestamp,
                   ifnull(length(nullif(payload, \(BusSchema.tombstone))), 0) + ifnull(length(key), 0) + ifnull(length(headers), 0)
            FROM bus_messages WHERE message_no >= ?1 AND message_no < ?2
            ORDER BY message_no LIMIT ?3
            """
        ).scan(first, first + 1 << BusSchema.offsetBits, limit) { row in
            let isOld = row.int64(1) < horizon.microseconds
            guard isOld || held - freed > allowed else { return false }
            freed += row.int(2) + Self.overhead
            last = row.int64(0)
            return true
        }
        if let last {
            try connection.run(
                "DELETE FROM bus_messages WHERE message_no BETWEEN ?1 AND ?2", first, last)
        }
        return freed
    }
}
