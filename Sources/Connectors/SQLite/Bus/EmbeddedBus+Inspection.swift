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

    private static func partitions(_ count: Int) -> String {
        count == 1 ? "1 partition" : "\(count) partitions"
    }
}
