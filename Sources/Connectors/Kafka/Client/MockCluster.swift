internal import CRdKafka
package import PipelineCore

/// A cluster inside the process, for tests: librdkafka's own mock.
///
/// It knows groups, offsets and idempotent producers and can be made to fail; it creates no topics
/// by administration and drops old records past a limit.
@safe package final class MockCluster: @unchecked Sendable {
    // The mock is thread-safe, and dies with the client that is kept here.
    private let client: KafkaClient
    private let cluster: OpaquePointer

    package init(brokers: Int32 = 1) throws(PipelineError) {
        var configuration = ClientConfiguration(secrets: [])
        try configuration.set("client.id", "mock")
        client = try KafkaClient(RD_KAFKA_PRODUCER, configuration, ClientEvents(log: nil))
        unsafe cluster = client.withHandle { unsafe rd_kafka_mock_cluster_new($0, brokers)! }
    }

    /// What a URL of it says.
    package var address: ResourceAddress {
        let brokers = unsafe String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
        return ResourceAddress(url: "kafka://\(brokers)")!
    }

    package func createTopic(_ name: String, partitions: Int32) {
        unsafe _ = rd_kafka_mock_topic_create(cluster, name, partitions, 1)
    }

    /// Answers the next requests of that kind (Kafka's API key) with these errors.
    package func fail(apiKey: Int16, with codes: [Int32]) {
        var errors = codes.map { rd_kafka_resp_err_t($0) }
        unsafe rd_kafka_mock_push_request_errors_array(cluster, apiKey, errors.count, &errors)
    }

    package func setBroker(_ id: Int32, isUp: Bool) {
        unsafe _ =
            isUp
            ? rd_kafka_mock_broker_set_up(cluster, id) : rd_kafka_mock_broker_set_down(cluster, id)
    }

    deinit { unsafe rd_kafka_mock_cluster_destroy(cluster) }
}

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
        try client.committed(of: topic, partitions, timeoutMilliseconds: 10_000).offsets
    }

    /// As `kafka-topics.sh --delete` does. Blocks until no broker shows the topic any more.
    package func delete(_ topic: String) throws(PipelineError) {
        let code = unsafe client.withHandle { handle in
            let queue = unsafe rd_kafka_queue_new(handle)
            defer { unsafe rd_kafka_queue_destroy(queue) }
            var topics: [OpaquePointer?] = unsafe [rd_kafka_DeleteTopic_new(topic)]
            defer { unsafe rd_kafka_DeleteTopic_destroy(topics[0]) }
            unsafe rd_kafka_DeleteTopics(handle, &topics, 1, nil, queue)
            guard let event = unsafe rd_kafka_queue_poll(queue, 20_000) else {
                return RD_KAFKA_RESP_ERR__TIMED_OUT
            }
            defer { unsafe rd_kafka_event_destroy(event) }
            return unsafe rd_kafka_event_error(event)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw .kafka(code, "deleting \(topic)") }
        while try client.topicState(topic, 10_000) != .missing {}
    }
}

/// What another program's transactional producer does, for tests.
package struct ForeignTransaction: Sendable {
    private let client: KafkaClient

    package init(_ address: ResourceAddress, id: String) throws(PipelineError) {
        var configuration = try KafkaSettings(address).configuration(for: .producer)
        try configuration.set("transactional.id", id)
        client = try KafkaClient(RD_KAFKA_PRODUCER, configuration, ClientEvents(log: nil))
        if let error = unsafe client.withHandle({ unsafe rd_kafka_init_transactions($0, 30_000) }) {
            throw unsafe .kafka(consuming: error, "beginning with transactions")
        }
    }

    /// Writes a record to partition 0 in a transaction of its own. Blocks.
    package func send(_ payload: String, to topic: String) throws(PipelineError) {
        let failure: OpaquePointer? = unsafe client.withHandle { handle in
            if let error = unsafe rd_kafka_begin_transaction(handle) { return unsafe error }
            let target = unsafe rd_kafka_topic_new(handle, topic, nil)
            defer { unsafe rd_kafka_topic_destroy(target) }
            var bytes = Array(payload.utf8)
            unsafe _ = rd_kafka_produce(
                target, 0, Int32(RD_KAFKA_MSG_F_COPY), &bytes, bytes.count, nil, 0, nil)
            return unsafe rd_kafka_commit_transaction(handle, 30_000)
        }
        if let failure = unsafe failure {
            throw unsafe .kafka(consuming: failure, "writing in a transaction")
        }
    }
}
