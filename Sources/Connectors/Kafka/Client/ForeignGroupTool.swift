internal import CRdKafka
package import PipelineCore

/// What `kafka-consumer-groups.sh --reset-offsets` does, for tests: commits for a group without
/// being a member.
package struct ForeignGroupTool: Sendable {
    private let client: KafkaClient

    package init(_ address: ResourceAddress, group: String) throws(PipelineError) {
        client = try KafkaClient(
            RD_KAFKA_CONSUMER, KafkaSettings(address).configuration(for: .consumer(group: group)),
            ClientEvents(log: nil))
    }

    /// Works only while the group has no members, as with Kafka's own tool. Blocks.
    package func reset(_ topic: String, to offsets: [Int32: Int64]) throws(PipelineError) {
        try client.commit(topic, offsets, timeoutMilliseconds: 10_000)
    }

    /// Blocks.
    package func committed(_ topic: String, _ partitions: [Int32]) throws(PipelineError)
        -> [Int32: Int64]
    {
        try client.committed(of: topic, partitions, timeoutMilliseconds: 10_000)
    }
}
