internal import Concurrency
internal import CRdKafka
internal import Metrics
internal import PipelineCore
internal import Synchronization

/// What librdkafka calls back into: the opaque of one client.
final class ClientEvents: Sendable {
    let log: KafkaLog?
    let faults: ClientFaults
    /// A consumer's assignments; unused by others.
    let rebalances = RebalanceQueue()
    /// A producer's reports; unused by others.
    let reports: DeliveryReports

    /// - Parameter failures: counts what a producer did not deliver.
    init(
        log: KafkaLog?, clock: PipelineClock = .system, history: KafkaHistory = KafkaHistory(),
        failures: Counter? = nil
    ) {
        reports = DeliveryReports(failures: failures)
        self.log = log
        faults = ClientFaults(clock: clock, history: history)
    }

    func note(_ severity: Int, _ facility: String, _ message: String) {
        log?(KafkaLogLine(severity: severity, facility: facility, message: message))
    }

    /// Points the configuration's callbacks at this object, which must outlive the client.
    func install(on conf: OpaquePointer, _ type: rd_kafka_type_t) {
        unsafe rd_kafka_conf_set_opaque(conf, Unmanaged.passUnretained(self).toOpaque())
        // Always set: without a callback librdkafka prints to stderr.
        unsafe rd_kafka_conf_set_log_cb(conf) { handle, level, facility, text in
            guard let handle = unsafe handle, let opaque = unsafe rd_kafka_opaque(handle) else {
                return
            }
            unsafe ClientEvents.from(opaque).note(
                Int(level), String(cString: facility!), String(cString: text!))
        }
        if type == RD_KAFKA_PRODUCER {
            unsafe installProducer(conf)
        } else {
            unsafe installConsumer(conf)
        }
    }

    private func installConsumer(_ conf: OpaquePointer) {
        unsafe rd_kafka_conf_set_error_cb(conf) { handle, code, reason, opaque in
            unsafe ClientEvents.from(opaque!).failed(
                handle!, rd_kafka_resp_err_t(code), String(cString: reason!))
        }
        unsafe rd_kafka_conf_set_rebalance_cb(conf) { handle, code, list, opaque in
            unsafe ClientEvents.from(opaque!).rebalances.receive(code, list!, handle!)
        }
    }

    private func installProducer(_ conf: OpaquePointer) {
        unsafe rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR)
        unsafe rd_kafka_conf_set_background_event_cb(conf) { handle, event, opaque in
            let events = unsafe ClientEvents.from(opaque!)
            defer {
                unsafe rd_kafka_event_destroy(event)
                // Only now has the queue the room that the reported messages took.
                events.reports.room.send()
            }
            switch unsafe rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_DR: unsafe events.reports.receive(event!, events.faults)
            case RD_KAFKA_EVENT_ERROR:
                let reason = unsafe rd_kafka_event_error_string(event).map {
                    unsafe String(cString: $0)
                }
                unsafe events.failed(handle!, rd_kafka_event_error(event), reason ?? "")
            default: break
            }
        }
    }

    private func failed(_ handle: OpaquePointer, _ code: rd_kafka_resp_err_t, _ reason: String) {
        guard code == RD_KAFKA_RESP_ERR__FATAL else { return faults.record(code, reason) }
        var text = ErrorText()
        let cause = unsafe text.withBuffer { unsafe rd_kafka_fatal_error(handle, $0, $1) }
        faults.recordFatal(cause, text.string)
        // Nothing that still waits will ever be sent.
        let flags = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT
        unsafe _ = rd_kafka_purge(handle, flags | RD_KAFKA_PURGE_F_NON_BLOCKING)
    }

    private static func from(_ opaque: UnsafeMutableRawPointer) -> ClientEvents {
        unsafe Unmanaged<ClientEvents>.fromOpaque(opaque).takeUnretainedValue()
    }
}

/// A line that librdkafka, or the connector itself, wants an operator to see.
public struct KafkaLogLine: Sendable {
    /// As syslog counts (RFC 5424): 3 error, 4 warning, 5 notice, 6 information, 7 debugging.
    public var severity: Int
    /// What part of the client speaks: librdkafka's facility (`FAIL`, `REBALANCE`, …), or
    /// `POSITION` and `COMMIT`.
    public var facility: String
    public var message: String

    public init(severity: Int, facility: String, message: String) {
        self.severity = severity
        self.facility = facility
        self.message = message
    }
}

/// Takes log lines. Called from librdkafka's own threads: must not block.
public typealias KafkaLog = @Sendable (KafkaLogLine) -> Void

/// What a client has reported about its connections.
///
/// librdkafka reconnects by itself, so that most reports are only remembered, to explain what comes
/// of them.
final class ClientFaults: Sendable {
    private struct State {
        var lastReason: String?
        var downSince: Instant?
        var refusal: PipelineError?
        var fatal: PipelineError?
    }
    private let state = Mutex(State())
    private let clock: PipelineClock
    private let history: KafkaHistory

    init(clock: PipelineClock, history: KafkaHistory) {
        self.clock = clock
        self.history = history
    }

    fileprivate func record(_ code: rd_kafka_resp_err_t, _ reason: String) {
        state.withLock { state in
            if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
                if state.downSince == nil { state.downSince = clock.now }
                return
            }
            state.lastReason = reason
            // A certificate is refused after the handshake, as far as this side can see.
            let isOfTLS = code == RD_KAFKA_RESP_ERR__TRANSPORT && TLSFailure(reason) != nil
            let code = isOfTLS ? RD_KAFKA_RESP_ERR__SSL : code
            let error = PipelineError.kafka(code, "Kafka", reason)
            guard error.disposition == .fatal else { return }
            state.refusal = judged(error)
        }
    }

    /// Somebody's change may be taken back, and what was accepted waits for that.
    func judged(_ error: PipelineError) -> PipelineError {
        guard history.hasWorked, [.busAuthentication, .busUnusable].contains(error.code) else {
            return error
        }
        var passing = error
        passing.disposition = .retryable
        passing.message += "; it worked before, and is tried again"
        return passing
    }

    fileprivate func recordFatal(_ code: rd_kafka_resp_err_t, _ reason: String) {
        let error = PipelineError.kafka(code, "Kafka's client has stopped", reason)
        state.withLock { $0.fatal = error }
    }

    /// The client works: what was said about its connections is past.
    func recovered() {
        history.worked()
        state.withLock { state in
            state.lastReason = nil
            state.downSince = nil
            state.refusal = nil
        }
    }

    /// The last connection error.
    var lastReason: String? { state.withLock { $0.lastReason } }
    /// Why records were not delivered, where a broken connection is the reason.
    func explanation(of code: rd_kafka_resp_err_t) -> String? {
        switch KafkaErrorKind(code) {
        case .timeout, .unavailable, .busy: lastReason
        case .producerBroken: fatal?.message
        default: nil
        }
    }
    /// Since when no broker has been reached.
    var downSince: Instant? { state.withLock { $0.downSince } }
    /// A broker turned the client away (credentials, rights): trying again will not help.
    ///
    /// One that may pass is told once: librdkafka reports it again as long as it holds.
    var refusal: PipelineError? {
        state.withLock { state in
            defer { if state.refusal?.disposition == .retryable { state.refusal = nil } }
            return state.refusal
        }
    }
    /// The client is beyond use: make another.
    var fatal: PipelineError? { state.withLock { $0.fatal } }
}
