public import PipelineCore

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
    static func logName(
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

/// The tables of the embedded bus.
///
/// A message's number is its partition's number and its offset in one integer, so that a partition
/// is a run of the table's own order: appending and reading need no index.
enum BusSchema {
    static let migration = SQLiteMigration(
        component: "bus",
        steps: [
            """
            CREATE TABLE bus_topics(
              topic_no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
            CREATE TABLE bus_partitions(
              partition_no INTEGER PRIMARY KEY, topic_no INTEGER NOT NULL REFERENCES bus_topics,
              partition INTEGER NOT NULL, next_offset INTEGER NOT NULL DEFAULT 0,
              bytes INTEGER NOT NULL DEFAULT 0, UNIQUE(topic_no, partition));
            CREATE TABLE bus_messages(
              message_no INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, key BLOB,
              payload BLOB NOT NULL, headers BLOB);
            CREATE TABLE bus_positions(
              group_name TEXT NOT NULL, topic_no INTEGER NOT NULL REFERENCES bus_topics,
              partition INTEGER NOT NULL, next_offset INTEGER NOT NULL,
              PRIMARY KEY(group_name, topic_no, partition)) WITHOUT ROWID;
            """,
            // Tells the file from others with topics of the same names.
            """
            CREATE TABLE bus_identity(id TEXT NOT NULL);
            INSERT INTO bus_identity VALUES(lower(hex(randomblob(12))));
            """,
        ])

    /// What stands in the column of payloads, which takes no NULL, for a message without one: a
    /// number among blobs.
    static let tombstone = 0

    /// Offsets in a partition: 10¹² of them.
    static let offsetBits: Int64 = 40

    static func message(partition: Int64, offset: Int64) -> Int64 {
        partition << offsetBits | offset
    }

    static func offset(message: Int64) -> Int64 { message & (1 << offsetBits - 1) }
}

/// Headers as one blob: for each the name's length, the name, the value's length, the value;
/// lengths are 32 bits, little-endian. The length of a value that is not there is the largest there
/// is.
public enum HeaderCoding {
    private static let missing = Int(UInt32.max)

    /// `nil` without headers.
    public static func encode(_ headers: [Header]) -> [UInt8]? {
        if headers.isEmpty { return nil }
        var bytes: [UInt8] = []
        for header in headers {
            append(Array(header.name.utf8)[...], to: &bytes)
            if let value = header.value {
                append(value, to: &bytes)
            } else {
                append(length: missing, to: &bytes)
            }
        }
        return bytes
    }

    public static func decode(_ bytes: Bytes) -> [Header] {
        var rest = bytes
        var headers: [Header] = []
        while let name = take(from: &rest) ?? nil, let value = take(from: &rest) {
            headers.append(Header(name: String(decoding: name, as: UTF8.self), value: value))
        }
        return headers
    }

    private static func append(_ field: Bytes, to bytes: inout [UInt8]) {
        append(length: field.count, to: &bytes)
        bytes.append(contentsOf: field)
    }

    private static func append(length: Int, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 32, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: length >> shift))
        }
    }

    /// `nil` at the end; a field that is not there is `.some(nil)`.
    private static func take(from rest: inout Bytes) -> Bytes?? {
        guard rest.count >= 4 else { return nil }
        let count = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(4)
        if count == missing { return .some(nil) }
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return .some(rest.prefix(count))
    }
}
