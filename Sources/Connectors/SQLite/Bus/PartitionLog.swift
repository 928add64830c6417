internal import PipelineCore

/// The end of one partition, inside a write transaction.
struct PartitionLog {
    private let number: Int64
    private let connection: SQLiteConnection
    private var nextOffset: Int64
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
