internal import CRdKafka
internal import PipelineCore

/// A short-lived client for metadata and topics. Everything blocks: for threads of their own only.
struct KafkaAdmin {
    private static let timeoutMilliseconds: Int32 = 10_000
    private static let probeMilliseconds: Int32 = 2_500

    private static let appearanceLooks = 200
    private static let appearancePause: Int32 = 50

    private let client: KafkaClient

    init(_ settings: KafkaSettings, _ log: KafkaLog?) throws(PipelineError) {
        client = try KafkaClient(
            RD_KAFKA_CONSUMER, settings.configuration(for: .admin),
            ClientEvents(log: log, history: settings.history))
    }

    func probe(
        timeoutMilliseconds: Int32 = Self.probeMilliseconds
    ) throws(PipelineError) {
        do {
            try client.reach(timeoutMilliseconds: timeoutMilliseconds)
            client.events.faults.recovered()
        } catch {
            // Connection errors are handed out when the client is polled, and explain the silence.
            unsafe client.withHandle { unsafe _ = rd_kafka_poll($0, 0) }
            if let refusal = client.events.faults.refusal { throw refusal }
            guard let reason = client.events.faults.lastReason else { throw error }
            throw .kafka(RD_KAFKA_RESP_ERR__TRANSPORT, "Kafka does not answer", reason)
        }
    }

    /// Creates the topic with the brokers' default replication; one that is there stays as it is.
    ///
    /// Returns when a broker shows the topic: what follows would not find it otherwise.
    func ensureTopic(_ name: String, partitions: Int?) throws(PipelineError) {
        try probe(timeoutMilliseconds: Self.briefMilliseconds)
        if try exists(name) { return }
        let (code, reason) = try create(name, partitions: Int32(partitions ?? -1))
        switch code {
        case RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: break
        default: throw .kafka(code, "creating the topic \(name)", reason)
        }
        for _ in 0..<Self.appearanceLooks {
            if try exists(name) { return }
            unsafe client.withHandle { unsafe _ = rd_kafka_poll($0, Self.appearancePause) }
        }
        throw .retryable(
            .topicMissing, "the topic \(name) was created but no broker shows it yet")
    }

    /// Whether the topic is there and its partitions have leaders.
    private func exists(_ name: String) throws(PipelineError) -> Bool {
        try client.topicState(name, Self.timeoutMilliseconds) == .ready
    }

    private func create(
        _ name: String, partitions: Int32
    ) throws(PipelineError) -> (rd_kafka_resp_err_t, String?) {
        var text = ErrorText()
        let topic = unsafe text.withBuffer {
            unsafe rd_kafka_NewTopic_new(name, partitions, -1, $0, $1)
        }
        guard let topic = unsafe topic else {
            throw .fatal(.topicInvalid, "the topic \(name) can't be created: \(text.string)")
        }
        defer { unsafe rd_kafka_NewTopic_destroy(topic) }
        return unsafe client.withHandle { handle in
            let queue = unsafe rd_kafka_queue_new(handle)
            defer { unsafe rd_kafka_queue_destroy(queue) }
            let options = unsafe rd_kafka_AdminOptions_new(
                handle, RD_KAFKA_ADMIN_OP_CREATETOPICS)
            defer { unsafe rd_kafka_AdminOptions_destroy(options) }
            // The operation's own limit: until the topic has leaders everywhere.
            unsafe rd_kafka_AdminOptions_set_operation_timeout(
                options, Self.timeoutMilliseconds, nil, 0)
            var topics: [OpaquePointer?] = unsafe [topic]
            unsafe rd_kafka_CreateTopics(handle, &topics, 1, options, queue)
            return unsafe Self.result(of: queue)
        }
    }

    /// Waits for the answer to one creation.
    private static func result(of queue: OpaquePointer?) -> (rd_kafka_resp_err_t, String?) {
        guard let event = unsafe rd_kafka_queue_poll(queue, 2 * timeoutMilliseconds) else {
            return (RD_KAFKA_RESP_ERR__TIMED_OUT, nil)
        }
        defer { unsafe rd_kafka_event_destroy(event) }
        let code = unsafe rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            return unsafe (
                code, rd_kafka_event_error_string(event).map { unsafe String(cString: $0) }
            )
        }
        var count = 0
        let result = unsafe rd_kafka_event_CreateTopics_result(event)
        let topics = unsafe rd_kafka_CreateTopics_result_topics(result, &count)
        guard count == 1, let topic = unsafe topics?[0] else {
            return (RD_KAFKA_RESP_ERR__FAIL, nil)
        }
        return unsafe (
            rd_kafka_topic_result_error(topic),
            rd_kafka_topic_result_error_string(topic).map { unsafe String(cString: $0) }
        )
    }
}

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
    fileprivate func fewestReplicas(of name: String, timeoutMilliseconds limit: Int32) -> Int? {
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

    /// Most bytes of a batch of records that the topic takes (`max.message.bytes`); `nil` when the
    /// cluster does not say.
    func largestBatch(of topic: String) -> Int? {
        client.settings(
            of: RD_KAFKA_RESOURCE_TOPIC, topic, timeoutMilliseconds: Self.briefMilliseconds)?[
                "max.message.bytes"
            ].flatMap(Int.init)
    }

    /// What a topic lacks that takes no record because too few of its replicas are in sync; `nil`
    /// when it does not, or nobody says so.
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
