internal import CRdKafka
internal import Glibc

/// Which clients a property is meant for.
enum PropertyScope: Sendable {
    case consumer, producer, both
}

/// The properties of the librdkafka that runs, as it lists them itself; and those of later ones.
///
/// librdkafka warns about a consumer's property on a producer, so that each client is given only
/// its own.
enum PropertyCatalogue {
    /// Both for properties that the library does not list.
    static func scope(of name: String) -> PropertyScope { listed[name] ?? .both }
    static func knows(_ name: String) -> Bool { listed[name] != nil }

    /// The first librdkafka that has the property, for those that came after 2.0.
    static func version(introducing name: String) -> String? { introduced[name] }

    private static let introduced = [
        "client.dns.lookup": "2.2.0",
        "fetch.queue.backoff.ms": "2.2.0",
        "retry.backoff.max.ms": "2.3.0",
        "group.protocol": "2.4.0",
        "group.remote.assignor": "2.4.0",
        "enable.metrics.push": "2.5.0",
        "metadata.recovery.strategy": "2.10.0",
        "metadata.recovery.rebootstrap.trigger.ms": "2.11.0",
        "https.ca.location": "2.11.0",
        "https.ca.pem": "2.11.0",
        "sasl.oauthbearer.grant.type": "2.11.0",
        "sasl.oauthbearer.client.credentials.client.id": "2.11.0",
        "sasl.oauthbearer.client.credentials.client.secret": "2.11.0",
        "sasl.oauthbearer.metadata.authentication.type": "2.12.0",
        "max.poll.records": "2.15.0",
    ]

    /// Lines of the form `linger.ms | P | 0 .. 900000 | …`.
    private static let listed: [String: PropertyScope] = {
        var listed: [String: PropertyScope] = [:]
        for line in printed().split(separator: "\n") {
            let cells = line.split(separator: "|", maxSplits: 2).map { cell in
                cell.filter { $0 != " " }
            }
            guard cells.count == 3 else { continue }
            switch cells[1] {
            case "C": listed[cells[0]] = .consumer
            case "P": listed[cells[0]] = .producer
            case "*": listed[cells[0]] = .both
            default: continue
            }
        }
        return listed
    }()

    private static func printed() -> String {
        var text: UnsafeMutablePointer<CChar>?
        var size = 0
        guard let stream = unsafe open_memstream(&text, &size) else { return "" }
        unsafe rd_kafka_conf_properties_show(stream)
        unsafe fclose(stream)
        defer { unsafe free(text) }
        guard let text = unsafe text else { return "" }
        return unsafe String(cString: text)
    }
}

/// What consumers set where the operator does not.
///
/// Memory: librdkafka prefetches into one queue for all partitions. Its own limits (64 MiB and
/// 100,000 records, each with about 600 bytes of bookkeeping) would take ten times what a pipeline
/// needs to be kept busy.
enum ConsumerDefaults {
    static let queuedMessages = 10_000

    /// One record of each partition, and an answer when there is none. All partitions share one
    /// queue: were it allowed to fill up, those that come later would wait for a second.
    static let probe = [
        ("allow.auto.create.topics", "false"), ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"), ("auto.offset.reset", "error"),
        ("enable.partition.eof", "true"), ("queued.min.messages", "100000"),
        ("queued.max.messages.kbytes", "65536"), ("fetch.wait.max.ms", "10"),
        ("fetch.error.backoff.ms", "50"), ("fetch.message.max.bytes", "65536"),
    ]

    static func properties(chosen: [String: String]) -> [(String, String)] {
        var properties = [
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            // What was read up to the end can be committed behind a transaction's marker.
            ("enable.partition.eof", "true"),
            ("allow.auto.create.topics", "false"),
            // Only ever used when a partition's log no longer holds the position: what is left of
            // it is read then.
            ("auto.offset.reset", "earliest"),
            ("queued.min.messages", "\(queuedMessages)"),
            ("queued.max.messages.kbytes", "8192"),
            ("fetch.message.max.bytes", "1048576"),
            ("fetch.max.bytes", "8388608"),
            // How long a broker holds an empty answer back. New records come at once; a new
            // partition waits for this.
            ("fetch.wait.max.ms", "100"),
            ("fetch.error.backoff.ms", "100"),
            // How soon a topic that was created, or grew, is noticed.
            ("topic.metadata.refresh.interval.ms", "30000"),
        ]
        // In the next-generation protocol the broker decides about both, and clients must not.
        if chosen["group.protocol"]?.lowercased() != "consumer" {
            properties.append(("partition.assignment.strategy", "cooperative-sticky"))
            // How long a killed member's partitions stay unread, and how long a broker that was
            // killed waits for members that have joined anew since. The library's 45 s spare groups
            // whose rebalancing is dear; with stored positions it is not.
            properties.append(("session.timeout.ms", "15000"))
        }
        // From 2.2 on a consumer slower than its broker would be left without records for a second.
        if PropertyCatalogue.knows("fetch.queue.backoff.ms") {
            properties.append(("fetch.queue.backoff.ms", "10"))
        }
        return properties
    }
}

/// What producers set where the operator does not.
enum ProducerDefaults {
    /// What librdkafka sends at once at most, and what a topic takes whose limit nobody tells.
    private static let plainBytes = 1_000_000
    private static let brokerDefaultBytes = 1_048_588
    private static let bufferKilobytes = 32_768

    /// - Parameter largestBatch: what the topic takes at most, in bytes (`max.message.bytes`),
    ///   where that is known.
    static func properties(
        chosen: [String: String], largestBatch: Int? = nil
    ) -> [(String, String)] {
        // A topic's limit is that of a batch as it is stored, which may be smaller than its
        // records.
        let isCompressed = chosen.keys.contains { $0.hasPrefix("compression.") }
        let bytes = min(max(largestBatch ?? brokerDefaultBytes, 1000), 100_000_000)
        let recordBytes = max(isCompressed ? 8 * bytes : bytes, plainBytes)
        var properties = [
            ("enable.idempotence", "true"),
            ("acks", "all"),
            // A send hands over all its records at once; waiting longer gathers nothing more.
            ("linger.ms", "1"),
            ("queue.buffering.max.kbytes", "\(max(bufferKilobytes, recordBytes / 512))"),
            // librdkafka's own limits lie below the broker's; what is too large says the topic. A
            // broker refuses a batch as a whole: none is larger than what the topic takes, unless
            // it is a single record.
            ("message.max.bytes", "\(recordBytes)"),
            ("batch.size", "\(min(bytes, plainBytes))"),
            // As Java's client places keys, so that everybody's records of one key share a
            // partition.
            ("partitioner", "murmur2_random"),
        ]
        if chosen["delivery.timeout.ms"] == nil {
            properties.append(("message.timeout.ms", "30000"))
        }
        return properties
    }
}

/// Properties that carry the connector's guarantees, and so are not the operator's to set.
enum ReservedProperties {
    static func reason(_ name: String) -> String? {
        switch name {
        case "bootstrap.servers", "metadata.broker.list": "the URL names the brokers"
        case "group.id": "the stage names the group"
        case "enable.auto.commit", "auto.commit.enable", "auto.commit.interval.ms",
            "enable.auto.offset.store":
            "offsets are committed after records have settled"
        case "auto.offset.reset": "the stage says where a new partition starts"
        case "partition.assignment.strategy": "consumers rebalance by cooperative-sticky"
        case "enable.partition.eof": "the end of a partition tells what can be committed"
        case "enable.idempotence", "acks", "request.required.acks":
            "producers are idempotent and wait for all in-sync replicas"
        case "delivery.report.only.error": "a send waits for the report of every record"
        case "transactional.id": "producers are idempotent, not transactional"
        default: nil
        }
    }
}

/// Properties whose values are never shown.
enum SecretProperties {
    static func contains(_ name: String) -> Bool {
        ["password", "secret", "passphrase", "username", "key.pem", "oauthbearer.config"]
            .contains { name.hasSuffix($0) || name.hasSuffix("\($0).") || name.contains("\($0).") }
    }
}
