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

    /// A file that only an earlier version has written to is nameless until it is next opened to be used.
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
