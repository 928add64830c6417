internal import CRdKafka
internal import PipelineCore

extension KafkaClient {
    /// The settings of a broker or a topic, by name; `nil` when the cluster does not say. Blocks.
    func settings(
        of type: rd_kafka_ResourceType_t, _ name: String, timeoutMilliseconds limit: Int32
    ) -> [String: String]? {
        unsafe withHandle { handle in
            let queue = unsafe rd_kafka_queue_new(handle)
            defer { unsafe rd_kafka_queue_destroy(queue) }
            let options = unsafe rd_kafka_AdminOptions_new(
                handle, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
            defer { unsafe rd_kafka_AdminOptions_destroy(options) }
            unsafe rd_kafka_AdminOptions_set_request_timeout(options, limit, nil, 0)
            guard let resource = unsafe rd_kafka_ConfigResource_new(type, name) else { return nil }
            defer { unsafe rd_kafka_ConfigResource_destroy(resource) }
            var resources: [OpaquePointer?] = unsafe [resource]
            unsafe rd_kafka_DescribeConfigs(handle, &resources, 1, options, queue)
            guard let event = unsafe rd_kafka_queue_poll(queue, limit) else { return nil }
            defer { unsafe rd_kafka_event_destroy(event) }
            return unsafe Self.settings(in: event)
        }
    }

    private static func settings(in event: OpaquePointer) -> [String: String]? {
        guard unsafe rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR,
            let result = unsafe rd_kafka_event_DescribeConfigs_result(event)
        else { return nil }
        var count = 0
        let resources = unsafe rd_kafka_DescribeConfigs_result_resources(result, &count)
        guard count == 1, let resource = unsafe resources?[0],
            unsafe rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR
        else { return nil }
        let entries = unsafe rd_kafka_ConfigResource_configs(resource, &count)
        var settings: [String: String] = [:]
        for index in 0..<count {
            guard let entry = unsafe entries?[index],
                let key = unsafe rd_kafka_ConfigEntry_name(entry),
                let value = unsafe rd_kafka_ConfigEntry_value(entry)
            else { continue }
            unsafe settings[String(cString: key)] = unsafe String(cString: value)
        }
        return settings
    }

    /// The fewest in-sync replicas that a partition of the topic has; `nil` when that is not known.
    func fewestReplicas(of name: String, timeoutMilliseconds limit: Int32) -> Int? {
        unsafe withHandle { handle in
            guard let topic = unsafe rd_kafka_topic_new(handle, name, nil) else { return nil }
            defer { unsafe rd_kafka_topic_destroy(topic) }
            var metadata: UnsafePointer<rd_kafka_metadata>?
            guard
                unsafe rd_kafka_metadata(handle, 0, topic, &metadata, limit)
                    == RD_KAFKA_RESP_ERR_NO_ERROR, let found = unsafe metadata
            else { return nil }
            defer { unsafe rd_kafka_metadata_destroy(found) }
            guard unsafe found.pointee.topic_cnt == 1 else { return nil }
            let view = unsafe found.pointee.topics[0]
            return unsafe (0..<Int(view.partition_cnt)).map {
                unsafe Int(view.partitions[$0].isr_cnt)
            }.min()
        }
    }
}

extension KafkaAdmin {
    private static let briefMilliseconds: Int32 = 5_000

    /// Most bytes of a batch of records that the topic takes (`max.message.bytes`); `nil` when the cluster does not say.
    func largestBatch(of topic: String) -> Int? {
        client.settings(
            of: RD_KAFKA_RESOURCE_TOPIC, topic, timeoutMilliseconds: Self.briefMilliseconds)?[
                "max.message.bytes"
            ].flatMap(Int.init)
    }

    /// What a topic lacks that takes no record because too few of its replicas are in sync; `nil` when it does not, or
    /// nobody says so.
    func lackOfReplicas(of topic: String) -> PipelineError? {
        let limit = Self.briefMilliseconds
        guard
            let wanted = client.settings(
                of: RD_KAFKA_RESOURCE_TOPIC, topic, timeoutMilliseconds: limit)?[
                    "min.insync.replicas"
                ].flatMap(Int.init),
            let found = client.fewestReplicas(of: topic, timeoutMilliseconds: limit),
            found < wanted
        else { return nil }
        return .kafka(
            RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, "sending to \(topic)",
            "a partition has \(found) in-sync replica(s), and min.insync.replicas is \(wanted)")
    }
}
