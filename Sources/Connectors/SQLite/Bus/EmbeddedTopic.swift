internal import PipelineCore

/// A topic as the file knows it. Partitions are never added to one.
struct EmbeddedTopic: Sendable {
    var name: String
    var number: Int64
    /// The number of each partition, by its index.
    var partitions: [Int64]
    /// What positions are kept under.
    var log: LogName

    /// `nil` if the topic is not there.
    static func load(_ name: String, from connection: SQLiteConnection) throws -> EmbeddedTopic? {
        let number = try connection.first(
            "SELECT topic_no FROM bus_topics WHERE name = ?1", name
        ) { $0.int64(0) }
        guard let number else { return nil }
        var partitions: [Int64] = []
        try connection.forEach(
            "SELECT partition_no FROM bus_partitions WHERE topic_no = ?1 ORDER BY partition",
            number
        ) { partitions.append($0.int64(0)) }
        return EmbeddedTopic(
            name: name, number: number, partitions: partitions,
            log: try logName(name, in: connection))
    }

    /// A file that only an earlier version has written to is nameless until it is next opened to be
    /// used.
    private static func logName(
        _ name: String, in connection: SQLiteConnection
    ) throws -> LogName {
        let id =
            try connection.hasTable("bus_identity")
            ? connection.first("SELECT id FROM bus_identity") { $0.text(0) } : nil
        return LogName("embedded:\(id ?? "")/\(name)", formerly: name)
    }

    static func create(
        _ name: String, partitions: Int, in connection: SQLiteConnection
    ) throws -> EmbeddedTopic {
        if let existing = try load(name, from: connection) { return existing }
        try connection.run("INSERT INTO bus_topics(name) VALUES(?1)", name)
        for partition in 0..<partitions {
            try connection.run(
                """
                INSERT INTO bus_partitions(topic_no, partition)
                SELECT topic_no, ?2 FROM bus_topics WHERE name = ?1
                """, name, partition)
        }
        return try load(name, from: connection)!
    }
}

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
