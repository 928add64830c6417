internal import CRdKafka
internal import PipelineCore

/// What an error of librdkafka means to a pipeline; the raw value is the code that people see.
enum KafkaErrorKind: String, Sendable, CaseIterable {
    case unavailable = "bus-unavailable"
    case timeout = "bus-timeout"
    case busy = "bus-busy"
    case error = "bus-error"
    case topicMissing = "topic-missing"
    case replicasMissing = "replicas-missing"
    case rebalancing = "group-rebalancing"
    case producerBroken = "producer-broken"
    case tooLarge = "record-too-large"
    case refused = "record-refused"
    case fenced = "bus-fenced"
    case authentication = "bus-authentication"
    case forbidden = "bus-forbidden"
    case topicInvalid = "topic-invalid"
    case unsupported = "bus-unsupported"

    var disposition: PipelineError.Disposition {
        switch self {
        case .unavailable, .timeout, .busy, .error, .topicMissing, .replicasMissing, .rebalancing,
            .producerBroken:
            .retryable
        case .tooLarge, .refused: .permanent
        case .fenced: .fenced
        case .authentication, .forbidden, .topicInvalid, .unsupported: .fatal
        }
    }

    /// What can be done about it.
    var advice: String? {
        switch self {
        case .unavailable: "is the address right, and does the broker run?"
        case .topicMissing: "create the topic, or allow it to be created"
        case .replicasMissing: "the topic has fewer in-sync replicas than min.insync.replicas"
        case .authentication: "check the user, the password and security.protocol"
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
        let isForGood =
            code == RD_KAFKA_RESP_ERR__SSL
            && [
                "certificate verify failed", "unknown ca", "wrong version number", "alert bad cert",
            ]
            .contains { reason.lowercased().contains($0) }
        self = isForGood ? .authentication : KafkaErrorKind(code)
    }

    private static let table: [Int32: KafkaErrorKind] = {
        var table: [Int32: KafkaErrorKind] = [:]
        for (kind, codes) in codes { for code in codes { table[code.rawValue] = kind } }
        return table
    }()
}
