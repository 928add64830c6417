internal import CRdKafka
internal import PipelineCore
internal import Synchronization

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

    func record(_ code: rd_kafka_resp_err_t, _ reason: String) {
        state.withLock { state in
            if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN {
                if state.downSince == nil { state.downSince = clock.now }
                return
            }
            state.lastReason = reason
            var error = PipelineError.kafka(code, "Kafka", reason)
            guard error.disposition == .fatal else { return }
            // Somebody's change may be taken back, and what was accepted waits for that.
            if history.hasWorked && error.code == KafkaErrorKind.authentication.rawValue {
                error.disposition = .retryable
                error.message += "; it worked before, and is tried again"
            }
            state.refusal = error
        }
    }

    func recordFatal(_ code: rd_kafka_resp_err_t, _ reason: String) {
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
