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
