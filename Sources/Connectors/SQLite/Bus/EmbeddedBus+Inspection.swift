public import PipelineCore

extension EmbeddedBus {
    /// Looks whether topics are there. Only reads.
    ///
    /// - Parameter connection: `nil` for a file that is not there yet.
    public static func findings(
        on topics: [TopicNeed], _ connection: SQLiteConnection?
    ) throws -> [ResourceFinding] {
        let hasTopics = try connection?.hasTable("bus_topics") ?? false
        return try topics.map { need in
            let subject = ResourceNeed.topic(need).subject
            let topic = hasTopics ? try EmbeddedTopic.load(need.name, from: connection!) : nil
            if let topic {
                return ResourceFinding(subject, .ok, partitions(topic.partitions.count))
            }
            switch need.creation {
            case .atStart(let count):
                return ResourceFinding(
                    subject, .ok,
                    "not there: `run` creates it with \(partitions(count ?? defaultPartitions))")
            case .atFirstMessage(let count):
                return ResourceFinding(
                    subject, .ok,
                    "not there: created at the first message with "
                        + partitions(count ?? defaultPartitions))
            case .never:
                return ResourceFinding(
                    subject, .wrong, "not there",
                    hint: "add \"create\": { \"partitions\": \(defaultPartitions) } to the input")
            }
        }
    }

    /// What speaks against stored positions being of the topic; `nil` when nothing does, or it is not there. Only reads.
    public static func contradiction(
        in topic: String, to stored: StoredPositions, _ connection: SQLiteConnection
    ) throws -> LogContradiction? {
        guard let topic = try find(topic, connection) else { return nil }
        let ends = try topic.ends(
            of: stored.next.keys.filter { $0 < topic.partitions.count }, in: connection)
        return try topic.contradiction(to: stored, ends: ends, in: connection)
    }

    /// What positions in a topic are kept under; `nil` without the topic. Only reads.
    public static func logName(
        of topic: String, _ connection: SQLiteConnection
    ) throws -> LogName? {
        try find(topic, connection)?.log
    }

    private static func find(
        _ topic: String, _ connection: SQLiteConnection
    ) throws -> EmbeddedTopic? {
        guard try connection.hasTable("bus_topics") else { return nil }
        return try EmbeddedTopic.load(topic, from: connection)
    }

    private static func partitions(_ count: Int) -> String {
        count == 1 ? "1 partition" : "\(count) partitions"
    }
}
