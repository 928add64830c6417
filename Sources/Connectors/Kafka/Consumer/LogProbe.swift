internal import CRdKafka
internal import PipelineCore

/// Looks at single records of a topic, beside the group. Everything blocks: for worker threads
/// only.
///
/// A client of its own: the group's can't read one offset without losing its place.
final class LogProbe: Sendable {
    private let client: KafkaClient

    init(_ settings: KafkaSettings, _ log: KafkaLog?) throws(PipelineError) {
        client = try KafkaClient(
            RD_KAFKA_CONSUMER, settings.configuration(for: .probe), ClientEvents(log: log))
    }

    /// The first record at or behind an offset of each partition; offsets have to lie in the log.
    ///
    /// - Returns: nothing for a partition whose log no longer holds the offset.
    func look(
        at offsets: [Int32: Int64], of topic: String, timeoutMilliseconds: Int32
    ) throws(PipelineError) -> [Int32: LogSighting] {
        if offsets.isEmpty { return [:] }
        let reading = ProbeReading(client, topic)
        for (partition, offset) in offsets { try reading.start(partition, at: offset) }
        return try reading.sightings(of: Set(offsets.keys), within: timeoutMilliseconds, topic)
    }
}

/// One look: stops what it has started.
@safe private final class ProbeReading {
    private let client: KafkaClient
    private let queue: OpaquePointer
    private let topic: OpaquePointer?
    private var started: [Int32] = []

    init(_ client: KafkaClient, _ name: String) {
        self.client = client
        unsafe queue = client.withHandle { unsafe rd_kafka_queue_new($0) }
        unsafe topic = client.withHandle { unsafe rd_kafka_topic_new($0, name, nil) }
    }

    deinit {
        for partition in started { unsafe _ = rd_kafka_consume_stop(topic, partition) }
        if let topic = unsafe topic { unsafe rd_kafka_topic_destroy(topic) }
        unsafe rd_kafka_queue_destroy(queue)
    }

    func start(_ partition: Int32, at offset: Int64) throws(PipelineError) {
        guard unsafe rd_kafka_consume_start_queue(topic, partition, offset, queue) == 0 else {
            throw .kafka(rd_kafka_last_error(), "looking at partition \(partition)")
        }
        started.append(partition)
    }

    func sightings(
        of wanted: Set<Int32>, within limit: Int32, _ name: String
    ) throws(PipelineError) -> [Int32: LogSighting] {
        var open = wanted
        var found: [Int32: LogSighting] = [:]
        let deadline = ContinuousClock.now.advanced(by: .milliseconds(Int64(limit)))
        while !open.isEmpty {
            // Connection errors are handed out when the client is polled.
            unsafe client.withHandle { unsafe _ = rd_kafka_poll($0, 0) }
            guard let message = unsafe rd_kafka_consume_queue(queue, 100) else {
                if ContinuousClock.now < deadline { continue }
                throw .kafka(RD_KAFKA_RESP_ERR__TIMED_OUT, "looking at \(name)")
            }
            defer { unsafe rd_kafka_message_destroy(message) }
            let partition = unsafe message.pointee.partition
            switch unsafe message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                if open.remove(partition) != nil {
                    found[partition] = .record(unsafe LogWitness(message))
                }
            case RD_KAFKA_RESP_ERR__PARTITION_EOF:
                if open.remove(partition) != nil { found[partition] = .end }
            case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
                open.remove(partition)
            case let code:
                throw unsafe .kafka(
                    code, "looking at \(name)", String(cString: rd_kafka_message_errstr(message)))
            }
        }
        return found
    }
}

extension LogWitness {
    /// A message as it lies in its partition.
    init(_ message: MessageBuffer.Message) {
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let milliseconds = unsafe rd_kafka_message_timestamp(message, &type)
        let keyBytes = unsafe message.pointee.key.map { key in
            unsafe UnsafeRawBufferPointer(start: key, count: message.pointee.key_len)
        }
        let payload = unsafe UnsafeRawBufferPointer(
            start: message.pointee.payload, count: message.pointee.len)
        self = unsafe LogWitness(
            offset: message.pointee.offset,
            timestamp: type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? 0 : milliseconds,
            keyDigest: keyBytes.map { unsafe Digest(of: $0.bytes) },
            payloadDigest: Digest(of: payload.bytes))
    }
}
