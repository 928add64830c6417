internal import CRdKafka
internal import PipelineCore
internal import Synchronization

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
        let reading = try ProbeReading(client, topic, at: offsets)
        return try reading.sightings(of: Set(offsets.keys), within: timeoutMilliseconds, topic)
    }
}

/// Reads one partition of a topic in order, beside the groups.
final class KafkaTopicReader: TopicReader {
    private static let maxBytes = 1 << 20

    private let settings: KafkaSettings
    private let reading: ProbeReading
    private let end: Int64
    private let timeout: Duration
    private let isAtEnd = Atomic(false)

    /// Blocks for as long as it takes to start librdkafka's threads.
    init(
        _ settings: KafkaSettings, _ log: KafkaLog?, topic: String, partition: Int32,
        offsets: Range<Int64>, timeout: Duration
    ) throws(PipelineError) {
        self.settings = settings
        end = offsets.upperBound
        self.timeout = timeout
        let client = try KafkaClient(
            RD_KAFKA_CONSUMER, settings.configuration(for: .probe), ClientEvents(log: log))
        reading = try ProbeReading(client, topic, at: [partition: offsets.lowerBound])
    }

    func next(limit: Int) async throws -> [Record] {
        if isAtEnd.load(ordering: .acquiring) { return [] }
        let (records, isAtEnd) = try await settings.blaming {
            try await blocking { [reading, end, timeout] in
                try reading.records(
                    before: end, atMost: limit, bytes: Self.maxBytes, within: timeout)
            }
        }
        self.isAtEnd.store(isAtEnd, ordering: .releasing)
        return records
    }
}

/// One look: stops what it has started.
///
/// Sendable because librdkafka's queues and topics are thread-safe, and nothing changes after the
/// initializer.
@safe private final class ProbeReading: @unchecked Sendable {
    private let client: KafkaClient
    private let name: String
    private let queue: OpaquePointer
    private let topic: OpaquePointer?
    private var started: [Int32] = []

    init(_ client: KafkaClient, _ name: String, at offsets: [Int32: Int64]) throws(PipelineError) {
        self.client = client
        self.name = name
        unsafe queue = client.withHandle { unsafe rd_kafka_queue_new($0) }
        unsafe topic = client.withHandle { unsafe rd_kafka_topic_new($0, name, nil) }
        for (partition, offset) in offsets { try start(partition, at: offset) }
    }

    deinit {
        for partition in started { unsafe _ = rd_kafka_consume_stop(topic, partition) }
        if let topic = unsafe topic { unsafe rd_kafka_topic_destroy(topic) }
        unsafe rd_kafka_queue_destroy(queue)
    }

    private func start(_ partition: Int32, at offset: Int64) throws(PipelineError) {
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

    /// The next records of the one partition that is read, below `end`.
    ///
    /// - Returns: also whether that are the last ones. With records of a topic that has become
    ///   another one meanwhile, whoever has them checks.
    func records(
        before end: Int64, atMost limit: Int, bytes: Int, within timeout: Duration
    ) throws(PipelineError) -> (records: [Record], isAtEnd: Bool) {
        var buffer = MessageBuffer(of: client, capacity: limit)
        var builder = FetchBuilder(topic: name, source: "", capacity: limit)
        let deadline = ContinuousClock.now.advanced(by: timeout)
        var isAtEnd = false
        while !isAtEnd, builder.count < limit, builder.payloadBytes < bytes {
            // Connection errors are handed out when the client is polled.
            unsafe client.withHandle { unsafe _ = rd_kafka_poll($0, 0) }
            guard let message = unsafe rd_kafka_consume_queue(queue, 100) else {
                if builder.count > 0 { break }
                let faults = client.events.faults
                if let refusal = faults.refusal { throw refusal }
                if ContinuousClock.now < deadline { continue }
                throw .kafka(
                    RD_KAFKA_RESP_ERR__TRANSPORT, "reading \(name)", faults.lastReason)
            }
            let (code, offset) = unsafe (message.pointee.err, message.pointee.offset)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR, offset < end {
                unsafe buffer.append(message)
                builder.add(buffer.count - 1, of: buffer, expected: 0)
                isAtEnd = offset == end - 1
                continue
            }
            defer { unsafe rd_kafka_message_destroy(message) }
            switch code {
            case RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR__PARTITION_EOF: isAtEnd = true
            case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
                throw .kafka(code, "reading \(name)", "it is past the topic's retention meanwhile")
            default:
                throw unsafe .kafka(
                    code, "reading \(name)", String(cString: rd_kafka_message_errstr(message)))
            }
        }
        return (builder.build(from: buffer).fetch.records, isAtEnd)
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
