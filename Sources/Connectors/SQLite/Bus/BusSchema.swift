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

    /// Offsets in a partition: 10¹² of them.
    static let offsetBits: Int64 = 40

    static func message(partition: Int64, offset: Int64) -> Int64 {
        partition << offsetBits | offset
    }

    static func offset(message: Int64) -> Int64 { message & (1 << offsetBits - 1) }
}
