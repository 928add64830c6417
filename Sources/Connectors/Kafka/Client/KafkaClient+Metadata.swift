internal import CRdKafka
internal import PipelineCore

/// Questions about the cluster. They block: for worker threads only.
extension KafkaClient {
    enum TopicState: Equatable {
        case missing
        /// Some partition has no leader: being created, or out of order.
        case leaderless
        case ready
    }

    /// Whether any broker answers.
    /// - Throws: ``PipelineCore/PipelineError`` `bus-unavailable` with the last connection error.
    func reach(timeoutMilliseconds: Int32) throws(PipelineError) {
        var metadata: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe withHandle { handle in
            unsafe rd_kafka_metadata(handle, 0, nil, &metadata, timeoutMilliseconds)
        }
        if code == RD_KAFKA_RESP_ERR_NO_ERROR { return unsafe rd_kafka_metadata_destroy(metadata) }
        let failed = code == RD_KAFKA_RESP_ERR__TIMED_OUT ? RD_KAFKA_RESP_ERR__TRANSPORT : code
        throw events.faults.refusal
            ?? .kafka(failed, "Kafka does not answer", events.faults.lastReason)
    }

    func topicState(
        _ name: String, _ timeoutMilliseconds: Int32
    ) throws(PipelineError) -> TopicState {
        let (code, state) = unsafe withHandle { handle in
            guard let topic = unsafe rd_kafka_topic_new(handle, name, nil) else {
                return (RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, TopicState.missing)
            }
            defer { unsafe rd_kafka_topic_destroy(topic) }
            var metadata: UnsafePointer<rd_kafka_metadata>?
            let code = unsafe rd_kafka_metadata(handle, 0, topic, &metadata, timeoutMilliseconds)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return (code, .missing) }
            defer { unsafe rd_kafka_metadata_destroy(metadata) }
            return unsafe Self.state(of: name, metadata!)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw .kafka(code, "asking for the topic \(name)", events.faults.lastReason)
        }
        return state
    }

    /// Which cluster this is; waits until a broker has said so.
    func clusterID(timeoutMilliseconds: Int32) throws(PipelineError) -> String {
        let text: String? = unsafe withHandle { handle in
            guard let text = unsafe rd_kafka_clusterid(handle, timeoutMilliseconds) else {
                return nil
            }
            defer { unsafe rd_kafka_mem_free(handle, text) }
            return unsafe String(cString: text)
        }
        if let text { return text }
        throw events.faults.refusal
            ?? .kafka(
                RD_KAFKA_RESP_ERR__TRANSPORT, "Kafka does not say which cluster it is",
                events.faults.lastReason)
    }

    /// How many partitions the topic has.
    func partitionCount(
        of name: String, _ timeoutMilliseconds: Int32
    ) throws(PipelineError) -> Int {
        let (code, count) = unsafe withHandle { handle -> (rd_kafka_resp_err_t, Int) in
            guard let topic = unsafe rd_kafka_topic_new(handle, name, nil) else {
                return (RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, 0)
            }
            defer { unsafe rd_kafka_topic_destroy(topic) }
            var metadata: UnsafePointer<rd_kafka_metadata>?
            let code = unsafe rd_kafka_metadata(handle, 0, topic, &metadata, timeoutMilliseconds)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return (code, 0) }
            defer { unsafe rd_kafka_metadata_destroy(metadata) }
            guard unsafe metadata!.pointee.topic_cnt > 0 else {
                return (RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 0)
            }
            let found = unsafe metadata!.pointee.topics[0]
            return unsafe (found.err, Int(found.partition_cnt))
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, count > 0 else {
            throw .kafka(
                code == RD_KAFKA_RESP_ERR_NO_ERROR ? RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART : code,
                "asking for the partitions of \(name)", events.faults.lastReason)
        }
        return count
    }

    /// Asks for all topics, which is what makes a consumer join when its topic has appeared.
    func lookAgain(for name: String, _ timeoutMilliseconds: Int32) throws(PipelineError)
        -> TopicState
    {
        let (code, state) = unsafe withHandle { handle in
            var metadata: UnsafePointer<rd_kafka_metadata>?
            let code = unsafe rd_kafka_metadata(handle, 1, nil, &metadata, timeoutMilliseconds)
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return (code, TopicState.missing) }
            defer { unsafe rd_kafka_metadata_destroy(metadata) }
            return unsafe Self.state(of: name, metadata!)
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw .kafka(code, "looking for the topic \(name)", events.faults.lastReason)
        }
        return state
    }

    private static func state(
        of name: String, _ metadata: UnsafePointer<rd_kafka_metadata>
    ) -> (rd_kafka_resp_err_t, TopicState) {
        for index in 0..<Int(unsafe metadata.pointee.topic_cnt) {
            let topic = unsafe metadata.pointee.topics[index]
            guard unsafe String(cString: topic.topic) == name else { continue }
            switch unsafe topic.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR: break
            case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
                return (RD_KAFKA_RESP_ERR_NO_ERROR, .leaderless)
            case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
                return (RD_KAFKA_RESP_ERR_NO_ERROR, .missing)
            default: return unsafe (topic.err, .missing)
            }
            let partitions = Int(unsafe topic.partition_cnt)
            let isReady = (0..<partitions).allSatisfy { unsafe topic.partitions[$0].leader >= 0 }
            return (RD_KAFKA_RESP_ERR_NO_ERROR, partitions > 0 && isReady ? .ready : .leaderless)
        }
        return (RD_KAFKA_RESP_ERR_NO_ERROR, .missing)
    }
}
