internal import CRdKafka
internal import PipelineCore

/// What librdkafka calls back into: the opaque of one client.
final class ClientEvents: Sendable {
    let log: KafkaLog?
    let faults: ClientFaults
    /// A consumer's assignments; unused by others.
    let rebalances = RebalanceQueue()
    /// A producer's reports; unused by others.
    let deliveries = DeliveryReports()

    init(
        log: KafkaLog?, clock: PipelineClock = .system, history: KafkaHistory = KafkaHistory()
    ) {
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
                events.deliveries.room.send()
            }
            switch unsafe rd_kafka_event_type(event) {
            case RD_KAFKA_EVENT_DR: unsafe events.deliveries.receive(event!, events.faults)
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
