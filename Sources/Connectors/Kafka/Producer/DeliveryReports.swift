internal import CRdKafka
internal import Concurrency
internal import Metrics
internal import PipelineCore
internal import Synchronization

/// Sends in progress, and where the reports of their records go.
///
/// A message carries the number of its send and its index there as its opaque, so that a report
/// finds its send without memory of its own. Reports for a send that was given up go nowhere.
final class DeliveryReports: Sendable {
    /// How a send ended.
    struct Outcome: Sendable {
        /// What was refused for good, by index.
        var refused: [Int: PipelineError] = [:]
        /// The refused records that a broker has seen, whose neighbours may have been refused with
        /// them.
        var refusedByBroker: Set<Int> = []
        /// What may go better next time; `nil` when everything else has arrived.
        var failure: PipelineError?
    }
    private struct Send {
        var open: Int
        var outcome = Outcome()
        var resumption: Resumption<Outcome>?
    }
    private struct State {
        var nextID: UInt32 = 1
        var sends: [UInt32: Send] = [:]
    }
    private let state = Mutex(State())
    /// Sent when reported messages have left librdkafka's queue.
    let room = Signal()
    private let failures: Counter?

    init(failures: Counter? = nil) { self.failures = failures }

    /// Begins a send of that many records.
    func open(_ count: Int) -> UInt32 {
        state.withLock { state in
            defer { state.nextID = state.nextID == .max ? 1 : state.nextID + 1 }
            state.sends[state.nextID] = Send(open: count)
            return state.nextID
        }
    }

    static func opaque(_ send: UInt32, _ index: Int) -> UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(bitPattern: UInt(send) << 32 | UInt(UInt32(index)))
    }

    /// Gives a send up: nobody waits for it any more.
    func abandon(_ id: UInt32) {
        let send = state.withLock { $0.sends.removeValue(forKey: id) }
        send?.resumption?.resume(throwing: CancellationError())
    }

    /// Waits until every record of the send has been reported.
    /// - Throws: `CancellationError`; the send is given up then.
    func outcome(of id: UInt32) async throws -> Outcome {
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Outcome>) in
                let result: Result<Outcome, any Error>? = state.withLock { state in
                    guard let send = state.sends[id] else { return .failure(CancellationError()) }
                    if send.open > 0 {
                        state.sends[id]!.resumption = resumption
                        return nil
                    }
                    state.sends[id] = nil
                    return .success(send.outcome)
                }
                if let result { resumption.resume(with: result) }
            }
        } onCancel: {
            abandon(id)
        }
    }

    /// librdkafka would not even take the record.
    func refuse(_ id: UInt32, _ index: Int, _ error: PipelineError) {
        finish([(id, index, error)], isFromBroker: false)
    }

    /// Takes a delivery report event; runs on librdkafka's background thread.
    func receive(_ event: OpaquePointer, _ faults: ClientFaults) {
        var reports: [(UInt32, Int, PipelineError?)] = []
        unsafe reports.reserveCapacity(rd_kafka_event_message_count(event))
        while let message = unsafe rd_kafka_event_message_next(event) {
            let opaque = UInt(bitPattern: unsafe message.pointee._private)
            let code = unsafe message.pointee.err
            let error =
                code == RD_KAFKA_RESP_ERR_NO_ERROR
                ? nil : PipelineError.kafka(code, "sending to Kafka", faults.explanation(of: code))
            reports.append(
                (
                    UInt32(truncatingIfNeeded: opaque >> 32),
                    Int(UInt32(truncatingIfNeeded: opaque)), error
                ))
        }
        if reports.contains(where: { $0.2 == nil }) { faults.recovered() }
        finish(reports, isFromBroker: true)
    }

    private func finish(_ reports: [(UInt32, Int, PipelineError?)], isFromBroker: Bool) {
        let failed = reports.count { $0.2 != nil }
        if failed > 0 { failures?.increment(by: failed) }
        let finished = state.withLock { state in
            var finished: [(Resumption<Outcome>, Outcome)] = []
            for (id, index, error) in reports {
                guard var send = state.sends[id] else { continue }
                send.open -= 1
                if let error { send.outcome.add(error, at: index, isFromBroker: isFromBroker) }
                state.sends[id] = send
                if send.open == 0, let resumption = send.resumption {
                    state.sends[id] = nil
                    finished.append((resumption, send.outcome))
                }
            }
            return finished
        }
        for (resumption, outcome) in finished { resumption.resume(returning: outcome) }
    }
}

extension DeliveryReports.Outcome {
    fileprivate mutating func add(_ error: PipelineError, at index: Int, isFromBroker: Bool) {
        guard error.disposition == .permanent else {
            // A fatal error outranks one that a repetition may mend.
            if failure == nil || error.disposition != .retryable { failure = error }
            return
        }
        refused[index] = error
        if isFromBroker { refusedByBroker.insert(index) }
    }
}

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
