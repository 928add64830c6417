internal import CRdKafka
internal import PipelineCore
internal import Synchronization

/// What an address says, turned into librdkafka's configuration for each kind of client.
struct KafkaSettings: Sendable {
    enum Role: Sendable, Equatable {
        case consumer(group: String)
        case producer
        /// For metadata and administration: a consumer without a group, since producers create
        /// topics by asking for them.
        case admin
        /// Looks at single records: a consumer without a group.
        case probe

        fileprivate var scope: PropertyScope { self == .producer ? .producer : .consumer }
    }

    /// Where a consumer that only waits must show itself; the property's default.
    private static let defaultMaxPollIntervalMilliseconds: Int64 = 300_000

    /// What the clients of this address share.
    let history = KafkaHistory()
    private let brokers: String
    /// The operator's properties, credentials of the URL included, by name.
    let properties: [String: String]

    init(_ address: ResourceAddress) throws(PipelineError) {
        let url = try KafkaURL(address)
        brokers = url.brokers
        var properties = address.properties
        for name in properties.keys.sorted() {
            if let reason = ReservedProperties.reason(name) {
                throw .fatal(
                    .reservedProperty, "Kafka property \"\(name)\" can't be set: \(reason)")
            }
        }
        if let (user, password) = url.credentials {
            let mechanism = properties["sasl.mechanisms"] ?? properties["sasl.mechanism"]
            if mechanism == nil { properties["sasl.mechanisms"] = "PLAIN" }
            properties["sasl.username"] = user
            properties["sasl.password"] = password
            properties["security.protocol"] = properties["security.protocol"] ?? "sasl_ssl"
        }
        self.properties = properties
    }

    /// The same error, as the brokers' fault where it is theirs.
    func blaming(_ error: PipelineError) -> PipelineError {
        error.code == .busUnavailable ? error.of(backend) : error
    }

    var backend: Backend { Backend(.bus, "Kafka at \(brokers)") }

    /// Runs `body`, whose errors are the brokers' fault where they are.
    func blaming<T>(_ body: () async throws -> T) async throws -> T {
        do { return try await body() } catch let error as PipelineError { throw blaming(error) }
    }

    /// How long a consumer may be silent before its group expels it.
    var maxPollInterval: Duration {
        let value = properties["max.poll.interval.ms"].flatMap(Int64.init)
        return .milliseconds(value ?? Self.defaultMaxPollIntervalMilliseconds)
    }

    /// The SASL user and password, empty where there are none.
    var credentials: (user: String, password: String) {
        (properties["sasl.username"] ?? "", properties["sasl.password"] ?? "")
    }

    /// Whether the operator has set the largest record that a producer takes.
    var limitsRecords: Bool { properties["message.max.bytes"] != nil }

    /// How many records a consumer prefetches.
    var queuedMessages: Int {
        properties["queued.min.messages"].flatMap(Int.init) ?? ConsumerDefaults.queuedMessages
    }

    /// How long a message may wait to be delivered.
    var deliveryTimeout: Duration {
        let value = properties["message.timeout.ms"] ?? properties["delivery.timeout.ms"]
        return .milliseconds(value.flatMap(Int64.init) ?? 30_000)
    }

    /// Tries every property on librdkafka, so that a wrong one is told at once and not at the first
    /// use.
    func validate() throws(PipelineError) {
        _ = try configuration(for: .admin)
        _ = try configuration(for: .probe)
        _ = try configuration(for: .consumer(group: "validation"))
        _ = try configuration(for: .producer)
        try checkSecurity()
        try makeTrial(RD_KAFKA_CONSUMER, .admin)
        try makeTrial(RD_KAFKA_CONSUMER, .consumer(group: ""))
        try makeTrial(RD_KAFKA_PRODUCER, .producer)
    }

    /// How properties fit together librdkafka says only when a client is made: one that knows no
    /// broker, and nothing of what it would look for in files.
    private func makeTrial(_ type: rd_kafka_type_t, _ role: Role) throws(PipelineError) {
        var configuration = try configuration(for: role, isTrial: true)
        unsafe configuration.withConf { unsafe rd_kafka_conf_set_log_cb($0) { _, _, _, _ in } }
        do {
            let handle = try unsafe configuration.makeClient(type)
            unsafe rd_kafka_destroy(handle)
        } catch {
            throw .fatal(.invalidProperty, error.message)
        }
    }

    /// librdkafka takes half of what SASL needs, and then tries for ever.
    private func checkSecurity() throws(PipelineError) {
        let transport = properties["security.protocol"]?.lowercased() ?? "plaintext"
        let mechanism = properties["sasl.mechanisms"] ?? properties["sasl.mechanism"]
        let (user, password) = credentials
        guard transport.hasPrefix("sasl") else {
            guard mechanism == nil && user.isEmpty && password.isEmpty else {
                throw .fatal(
                    .invalidProperty,
                    "Kafka property \"security.protocol\": with \(transport) nobody logs in; "
                        + "sasl_ssl and sasl_plaintext do")
            }
            return
        }
        switch mechanism?.uppercased() {
        case nil:
            throw .fatal(
                .invalidProperty,
                "Kafka property \"security.protocol\": \(transport) needs sasl.mechanisms (PLAIN, "
                    + "SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER, GSSAPI) and what that logs in with"
            )
        case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
            guard !user.isEmpty && !password.isEmpty else {
                throw .fatal(
                    .invalidProperty,
                    "Kafka property \"sasl.mechanisms\": \(mechanism!) needs a user and a password: "
                        + "kafka://user:password@host, or sasl.username and sasl.password")
            }
        case "OAUTHBEARER", "GSSAPI": return
        default:
            throw .fatal(
                .invalidProperty,
                "Kafka property \"sasl.mechanisms\": there are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, "
                    + "OAUTHBEARER and GSSAPI")
        }
    }

    /// The configuration of one client. An operator's property wins over a default.
    ///
    /// - Parameters:
    ///   - largestBatch: for a producer: what its topic takes at most, in bytes, where that is
    ///     known.
    ///   - isTrial: whether nothing is to be connected to.
    func configuration(
        for role: Role, largestBatch: Int? = nil, isTrial: Bool = false
    ) throws(PipelineError) -> ClientConfiguration {
        var configuration = ClientConfiguration(secrets: secrets)
        if !isTrial { try configuration.set("bootstrap.servers", brokers) }
        for (name, value) in defaults(for: role, largestBatch) where properties[name] == nil {
            if isTrial && name == "group.id" { continue }
            try configuration.set(name, value)
        }
        for name in properties.keys.sorted() {
            if isTrial && Self.isOfEnvironment(name) { continue }
            let scope = PropertyCatalogue.scope(of: name)
            guard scope == .both || scope == role.scope else { continue }
            try configuration.set(name, properties[name]!)
        }
        return configuration
    }

    /// What is found in files, or done with them, when a client is made.
    private static func isOfEnvironment(_ name: String) -> Bool {
        ["ssl.", "sasl.", "security.", "enable.ssl", "enable.sasl", "plugin."]
            .contains { name.hasPrefix($0) }
    }

    /// Values that must not appear in any message.
    private var secrets: [String] {
        properties.filter { SecretProperties.contains($0.key) && !$0.value.isEmpty }.map(\.value)
    }

    private func defaults(for role: Role, _ largestBatch: Int?) -> [(String, String)] {
        let shared = [("client.id", "penstock")]
        switch role {
        case .admin:
            // Whether a broker is there again is asked every second or two.
            return shared + [
                ("allow.auto.create.topics", "false"), ("reconnect.backoff.max.ms", "1000"),
            ]
        case .probe: return shared + ConsumerDefaults.probe
        case .producer:
            return shared
                + ProducerDefaults.properties(chosen: properties, largestBatch: largestBatch)
        case .consumer(let group):
            return shared + [("group.id", group)] + ConsumerDefaults.properties(chosen: properties)
        }
    }
}

/// Whether a broker has ever taken the clients of an address in this process.
final class KafkaHistory: Sendable {
    private let state = Mutex(false)
    var hasWorked: Bool { state.withLock { $0 } }
    func worked() { state.withLock { $0 = true } }
}

/// The parts of `kafka://[user:password@]host[:port][,host[:port]…]`.
struct KafkaURL {
    /// As librdkafka wants them: `host:port,host:port`.
    let brokers: String
    let credentials: (user: String, password: String)?

    /// - Throws: ``PipelineCore/PipelineError`` `invalid-url` (fatal), without the credentials.
    init(_ address: ResourceAddress) throws(PipelineError) {
        var rest = Substring(address.rest)
        func invalid(_ problem: String) -> PipelineError {
            .fatal(
                .invalidURL,
                "\(address): \(problem); "
                    + "Kafka's URL is kafka://[user:password@]host:port[,host:port…]"
            )
        }
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at].split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard user.count == 2, let name = percentDecoded(user[0]),
                let password = percentDecoded(user[1]), !name.isEmpty
            else { throw invalid("the part before @ is not user:password") }
            credentials = (name, password)
            rest = rest[rest.index(after: at)...]
        } else {
            credentials = nil
        }
        if rest.hasSuffix("/") { rest.removeLast() }
        if rest.contains("?") || rest.contains("/") {
            throw invalid(
                "a path or query has no meaning here, properties belong into \"properties\"")
        }
        let hosts = rest.split(separator: ",", omittingEmptySubsequences: false)
        for host in hosts {
            guard Self.isHost(host) else {
                throw invalid("\"\(Self.shown(host))\" is not host:port with a port up to 65535")
            }
        }
        brokers = String(rest)
    }

    /// What is no number is no port, and may be anything.
    private static func shown(_ host: Substring) -> String {
        guard let colon = host.lastIndex(of: ":") else { return String(host) }
        let port = host[host.index(after: colon)...]
        return port.allSatisfy { $0.isASCII && $0.isNumber }
            ? String(host) : "\(host[..<colon]):***"
    }

    private static func isHost(_ text: Substring) -> Bool {
        var port: Substring?
        let name: Substring
        if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
            name = text[...end]
            let after = text[text.index(after: end)...]
            if !after.isEmpty {
                guard after.hasPrefix(":") else { return false }
                port = after.dropFirst()
            }
        } else if let colon = text.firstIndex(of: ":") {
            name = text[..<colon]
            port = text[text.index(after: colon)...]
        } else {
            name = text
        }
        guard !name.isEmpty, !name.contains(where: \.isWhitespace) else { return false }
        guard let port else { return true }
        return (1...65535).contains(Int(port) ?? 0)
    }
}

/// - Returns: `nil` for a `%` that two hexadecimal digits do not follow, or bytes that are not
///   UTF-8.
private func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard rest.count >= 2, let value = UInt8(Substring(rest.prefix(2)), radix: 16) else {
            return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
}
