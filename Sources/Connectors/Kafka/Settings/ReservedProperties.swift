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
