internal import CRdKafka
internal import PipelineCore

/// Owns an `rd_kafka_conf_t` until a client takes it.
@safe struct ClientConfiguration: ~Copyable {
    /// `nil` once a client has it.
    private var conf: OpaquePointer?
    /// Values that are struck out of librdkafka's messages.
    private let secrets: [String]

    init(secrets: [String]) {
        unsafe conf = rd_kafka_conf_new()
        self.secrets = secrets
    }

    deinit {
        if let conf = unsafe conf { unsafe rd_kafka_conf_destroy(conf) }
    }

    /// - Throws: ``PipelineCore/PipelineError``, fatal: `unknown-property`, `invalid-property`.
    mutating func set(_ name: String, _ value: String) throws(PipelineError) {
        var text = ErrorText()
        let result = unsafe text.withBuffer { unsafe rd_kafka_conf_set(conf, name, value, $0, $1) }
        switch result {
        case RD_KAFKA_CONF_OK: return
        case RD_KAFKA_CONF_UNKNOWN: throw unknown(name)
        default:
            let reason =
                SecretProperties.contains(name) ? "its value is refused" : redacted(text.string)
            throw .fatal(.invalidProperty, "Kafka property \"\(name)\": \(reason)")
        }
    }

    /// Lends the configuration, to install callbacks.
    mutating func withConf(_ body: (OpaquePointer) -> Void) {
        if let conf = unsafe conf { unsafe body(conf) }
    }

    /// Makes the client. It takes the configuration over only when it succeeds.
    /// - Throws: ``PipelineCore/PipelineError`` `bus-unusable` (fatal).
    mutating func makeClient(_ type: rd_kafka_type_t) throws(PipelineError) -> OpaquePointer {
        var text = ErrorText()
        let handle = unsafe text.withBuffer { unsafe rd_kafka_new(type, conf, $0, $1) }
        guard let handle = unsafe handle else {
            throw .fatal(
                .busUnusable, "Kafka's client can't be made: \(redacted(text.string))")
        }
        unsafe conf = nil
        return unsafe handle
    }

    private func unknown(_ name: String) -> PipelineError {
        let version = KafkaClient.libraryVersion
        if let first = PropertyCatalogue.version(introducing: name) {
            return .fatal(
                .unknownProperty,
                "Kafka property \"\(name)\" needs librdkafka \(first) or later; this is \(version)")
        }
        return .fatal(
            .unknownProperty,
            "librdkafka \(version) has no property \"\(name)\"; see its CONFIGURATION.md")
    }

    private func redacted(_ message: String) -> String {
        secrets.reduce(message) { text, secret in
            var parts: [Substring] = []
            var rest = text[...]
            while let range = rest.firstRange(of: secret) {
                parts.append(rest[..<range.lowerBound])
                rest = rest[range.upperBound...]
            }
            return parts.isEmpty ? text : (parts + [rest]).joined(separator: "***")
        }
    }
}

/// The buffer that librdkafka writes its reasons into.
struct ErrorText {
    private var bytes = [CChar](repeating: 0, count: 512)

    mutating func withBuffer<T>(_ body: (UnsafeMutablePointer<CChar>, Int) -> T) -> T {
        unsafe bytes.withUnsafeMutableBufferPointer { unsafe body($0.baseAddress!, $0.count) }
    }
    var string: String {
        String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
