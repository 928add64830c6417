internal import CRdKafka
internal import PipelineCore

/// What an error of librdkafka means to a pipeline.
enum KafkaErrorKind: Sendable, Hashable {
    case unavailable, timeout, busy, error, topicMissing, replicasMissing, rebalancing,
        producerBroken
    case tooLarge, refused, fenced, authentication, forbidden, topicInvalid, unsupported
    case encryption(TLSFailure)

    fileprivate var code: ErrorCode {
        switch self {
        case .unavailable: .busUnavailable
        case .timeout: .busTimeout
        case .busy: .busBusy
        case .error: .busError
        case .topicMissing: .topicMissing
        case .replicasMissing: .replicasMissing
        case .rebalancing: .groupRebalancing
        case .producerBroken: .producerBroken
        case .tooLarge: .recordTooLarge
        case .refused: .recordRefused
        case .fenced: .busFenced
        case .authentication, .encryption: .busAuthentication
        case .forbidden: .busForbidden
        case .topicInvalid: .topicInvalid
        case .unsupported: .busUnsupported
        }
    }

    /// What can be done about it.
    fileprivate var advice: String? {
        switch self {
        case .unavailable: "is the address right, and does the broker run?"
        case .topicMissing: "create the topic, or allow it to be created"
        case .replicasMissing: "the topic has fewer in-sync replicas than min.insync.replicas"
        case .authentication: "check the user, the password and security.protocol"
        case .encryption(.untrusted):
            "check ssl.ca.location, the host's name, and whether its certificate has expired"
        case .encryption(.refused):
            "check ssl.certificate.location and ssl.key.location: the broker must know who has signed"
        case .encryption(.noTLS): "check security.protocol and the port"
        case .forbidden: "grant the user the right on the broker"
        case .fenced: "another client has taken this one's place"
        case .producerBroken: "the next send makes a new producer"
        default: nil
        }
    }

    init(_ code: rd_kafka_resp_err_t) {
        self = Self.table[code.rawValue] ?? .error
    }

    /// - Parameter reason: what librdkafka adds, which alone tells a certificate that will never do
    ///   from a handshake that broke off.
    init(_ code: rd_kafka_resp_err_t, _ reason: String) {
        // Others' reasons are often what the connection broke by before.
        let failure = code == RD_KAFKA_RESP_ERR__SSL ? TLSFailure(reason) : nil
        self = failure.map { .encryption($0) } ?? KafkaErrorKind(code)
    }

    private static let table: [Int32: KafkaErrorKind] = {
        var table: [Int32: KafkaErrorKind] = [:]
        for (kind, codes) in codes { for code in codes { table[code.rawValue] = kind } }
        return table
    }()
}

extension KafkaErrorKind {
    /// librdkafka's codes of each kind; all others are ``error``.
    private static let codes: [(KafkaErrorKind, [rd_kafka_resp_err_t])] = [
        (
            .unavailable,
            [
                RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__RESOLVE, RD_KAFKA_RESP_ERR__SSL,
                RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__WAIT_COORD,
                RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION,
                RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
                RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
                RD_KAFKA_RESP_ERR_NOT_CONTROLLER,
            ]
        ),
        (
            .timeout,
            [
                RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
                RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
            ]
        ),
        (.busy, [RD_KAFKA_RESP_ERR__QUEUE_FULL, RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED]),
        (
            .topicMissing,
            [
                RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
                RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
            ]
        ),
        (
            .replicasMissing,
            [
                RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__ISR_INSUFF,
                RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
            ]
        ),
        (
            .rebalancing,
            [
                RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST,
                RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED,
            ]
        ),
        (
            .producerBroken,
            [
                RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__PURGE_QUEUE,
                RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
                RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
                RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE,
            ]
        ),
        (
            .tooLarge,
            [
                RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
                RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE,
            ]
        ),
        (
            .refused,
            [
                RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
            ]
        ),
        (
            .fenced,
            [
                RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
                RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
            ]
        ),
        (
            .authentication,
            [
                RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
                RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE,
            ]
        ),
        (
            .forbidden,
            [
                RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
                RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
            ]
        ),
        (
            .topicInvalid,
            [
                RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
                RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, RD_KAFKA_RESP_ERR_INVALID_CONFIG,
                RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_INVALID_GROUP_ID,
            ]
        ),
        (
            .unsupported,
            [
                RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
                RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
                RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT,
            ]
        ),
    ]
}

extension PipelineError {
    /// librdkafka's error as ours.
    ///
    /// - Parameters:
    ///   - doing: what failed, as the beginning of a sentence.
    ///   - reason: what librdkafka adds to the code; its general text otherwise.
    static func kafka(
        _ code: rd_kafka_resp_err_t, _ doing: String, _ reason: String? = nil
    ) -> PipelineError {
        let kind = KafkaErrorKind(code, reason ?? "")
        let general = unsafe String(cString: rd_kafka_err2str(code))
        let text = reason.map { $0.isEmpty ? general : $0 } ?? general
        // A listener without TLS just hangs up, as one does that stops.
        let mayLackTLS = kind == .unavailable && text.contains("SSL handshake")
        let advice = (mayLackTLS ? adviceOnHandshake : kind.advice).map { "; \($0)" } ?? ""
        return PipelineError(
            kind.code, "\(doing): \(text)\(advice) (librdkafka \(code.rawValue))")
    }

    private static let adviceOnHandshake: String? =
        "does the broker run, and is that its listener with TLS (security.protocol)?"

    /// Takes over an `rd_kafka_error_t`, and destroys it.
    static func kafka(consuming error: OpaquePointer, _ doing: String) -> PipelineError {
        defer { unsafe rd_kafka_error_destroy(error) }
        return unsafe .kafka(
            rd_kafka_error_code(error), doing, String(cString: rd_kafka_error_string(error)))
    }
}
