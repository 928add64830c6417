internal import PipelineCore

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

        var scope: PropertyScope { self == .producer ? .producer : .consumer }
    }

    /// Where a consumer that only waits must show itself; the property's default.
    static let defaultMaxPollIntervalMilliseconds: Int64 = 300_000

    private let brokers: String
    /// The operator's properties, credentials of the URL included, by name.
    private let properties: [String: String]

    init(_ address: ResourceAddress) throws(PipelineError) {
        let url = try KafkaURL(address)
        brokers = url.brokers
        var properties = address.properties
        for name in properties.keys.sorted() {
            if let reason = ReservedProperties.reason(name) {
                throw .fatal(
                    "reserved-property", "Kafka property \"\(name)\" can't be set: \(reason)")
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

    /// How long a consumer may be silent before its group expels it.
    var maxPollInterval: Duration {
        let value = properties["max.poll.interval.ms"].flatMap(Int64.init)
        return .milliseconds(value ?? Self.defaultMaxPollIntervalMilliseconds)
    }

    /// The SASL user and password, empty where there are none.
    var credentials: (user: String, password: String) {
        (properties["sasl.username"] ?? "", properties["sasl.password"] ?? "")
    }

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
    }

    /// The configuration of one client. An operator's property wins over a default.
    func configuration(for role: Role) throws(PipelineError) -> ClientConfiguration {
        var configuration = ClientConfiguration(secrets: secrets)
        try configuration.set("bootstrap.servers", brokers)
        for (name, value) in defaults(for: role) where properties[name] == nil {
            try configuration.set(name, value)
        }
        for name in properties.keys.sorted() {
            let scope = PropertyCatalogue.scope(of: name)
            guard scope == .both || scope == role.scope else { continue }
            try configuration.set(name, properties[name]!)
        }
        return configuration
    }

    /// Values that must not appear in any message.
    private var secrets: [String] {
        properties.filter { SecretProperties.contains($0.key) && !$0.value.isEmpty }.map(\.value)
    }

    private func defaults(for role: Role) -> [(String, String)] {
        let shared = [("client.id", "penstock")]
        switch role {
        case .admin: return shared + [("allow.auto.create.topics", "false")]
        case .probe: return shared + ConsumerDefaults.probe
        case .producer: return shared + ProducerDefaults.properties(chosen: properties)
        case .consumer(let group):
            return shared + [("group.id", group)] + ConsumerDefaults.properties(chosen: properties)
        }
    }
}
