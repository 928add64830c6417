internal import CRdKafka
internal import PipelineCore

/// Puts records of one topic into a producer's queue. librdkafka copies key, payload and headers:
/// memory of Swift's arrays may not be lent beyond a call.
@safe struct OutgoingMessage: ~Copyable {
    private let client: KafkaClient
    private let topic: OpaquePointer

    /// - Throws: ``PipelineCore/PipelineError`` `topic-invalid` (fatal).
    init(_ client: KafkaClient, _ topic: String) throws(PipelineError) {
        let made = unsafe client.withHandle { unsafe rd_kafka_topic_new($0, topic, nil) }
        guard let made = unsafe made else {
            throw .fatal(.topicInvalid, "\"\(topic)\" can't be the name of a topic")
        }
        unsafe self.topic = unsafe made
        self.client = client
    }

    deinit { unsafe rd_kafka_topic_destroy(topic) }

    /// - Returns: what librdkafka says at once; the broker's word comes as a report.
    func produce(
        _ record: OutgoingRecord, _ opaque: UnsafeMutableRawPointer?
    ) -> rd_kafka_resp_err_t {
        let headers = unsafe Self.headers(of: record)
        var parts = unsafe [rd_kafka_vu_t](repeating: rd_kafka_vu_t(), count: 6)
        unsafe parts[0].vtype = RD_KAFKA_VTYPE_RKT
        unsafe parts[0].u.rkt = unsafe topic
        unsafe parts[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS
        unsafe parts[1].u.i = RD_KAFKA_MSG_F_COPY
        unsafe parts[2].vtype = RD_KAFKA_VTYPE_OPAQUE
        unsafe parts[2].u.ptr = unsafe opaque
        var count = 3
        if let headers = unsafe headers {
            unsafe parts[count].vtype = RD_KAFKA_VTYPE_HEADERS
            unsafe parts[count].u.headers = unsafe headers
            count += 1
        }
        let code = unsafe record.payload.withUnsafeBytes { payload in
            unsafe parts[count].vtype = RD_KAFKA_VTYPE_VALUE
            let isNull = record.isTombstone
            unsafe parts[count].u.mem =
                unsafe isNull ? .init(ptr: nil, size: 0) : Self.memory(payload)
            count += 1
            guard let key = record.key else { return unsafe submit(parts, count) }
            return unsafe key.withUnsafeBytes { key in
                unsafe parts[count].vtype = RD_KAFKA_VTYPE_KEY
                unsafe parts[count].u.mem = unsafe Self.memory(key)
                return unsafe submit(parts, count + 1)
            }
        }
        // librdkafka owns the headers once it has taken the message.
        if let headers = unsafe headers, code != RD_KAFKA_RESP_ERR_NO_ERROR {
            unsafe rd_kafka_headers_destroy(headers)
        }
        return code
    }

    private func submit(_ parts: [rd_kafka_vu_t], _ count: Int) -> rd_kafka_resp_err_t {
        let error = unsafe client.withHandle { handle in
            unsafe parts.withUnsafeBufferPointer {
                unsafe rd_kafka_produceva(handle, $0.baseAddress, count)
            }
        }
        guard let error = unsafe error else { return RD_KAFKA_RESP_ERR_NO_ERROR }
        defer { unsafe rd_kafka_error_destroy(error) }
        return unsafe rd_kafka_error_code(error)
    }

    private static func headers(of record: OutgoingRecord) -> OpaquePointer? {
        if record.headers.isEmpty { return nil }
        let headers = unsafe rd_kafka_headers_new(record.headers.count)
        for header in record.headers {
            guard let value = header.value else {
                unsafe _ = rd_kafka_header_add(headers, header.name, -1, nil, 0)
                continue
            }
            unsafe value.withUnsafeBytes { value in
                let memory = unsafe memory(value)
                unsafe _ = rd_kafka_header_add(
                    headers, header.name, -1, memory.ptr, memory.size)
            }
        }
        return unsafe headers
    }

    /// An address even for no bytes: without one the value would be null, which Kafka tells apart.
    private static func memory(
        _ bytes: UnsafeRawBufferPointer
    ) -> rd_kafka_vu_s.__Unnamed_union_u.__Unnamed_struct_mem {
        unsafe .init(
            ptr: UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? nothing, size: bytes.count)
    }
    nonisolated(unsafe) private static let nothing = UnsafeMutableRawPointer.allocate(
        byteCount: 1, alignment: 1)
}
