public import PipelineCore

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
