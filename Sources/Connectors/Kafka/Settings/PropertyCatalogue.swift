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
