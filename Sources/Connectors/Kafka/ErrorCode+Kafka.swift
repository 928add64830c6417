package import PipelineCore

/// What Kafka alone throws.
extension ErrorCode {
    package static let busBusy = ErrorCode(
        "bus-busy", .passing, "The broker has no room for now.",
        remedy: "Nothing if it passes; else look at the broker's load and quotas.")
    package static let busError = ErrorCode(
        "bus-error", .passing, "The Kafka library reports an error of no known kind.",
        remedy: "Read its message; it is tried again.")
    package static let busFenced = ErrorCode(
        "bus-fenced", .takenOver, "Another client has taken this one's place.",
        remedy: "See that no two processes use one group instance or transaction.")
    package static let busForbidden = ErrorCode(
        "bus-forbidden", .unavailable, "The broker does not allow what was asked for.",
        remedy: "Grant the user the right; the message names the topic or group.")
    package static let busTimeout = ErrorCode(
        "bus-timeout", .passing, "The broker did not answer in time.",
        remedy: "Look at the network and the broker's load.")
    package static let busUnsupported = ErrorCode(
        "bus-unsupported", .unavailable, "The broker or the library can't do what was asked for.",
        remedy: "Use a newer one, or leave the property out.")
    package static let busUnusable = ErrorCode(
        "bus-unusable", .unavailable, "Kafka's client library can't work with these properties.",
        remedy: "Correct the property that the message names.")
    package static let consumerClosed = ErrorCode(
        "consumer-closed", .failure, "A consumer was used after its end.",
        remedy: "Report it: the program is at fault.")
    package static let groupRebalancing = ErrorCode(
        "group-rebalancing", .passing, "The consumer group is dividing its partitions anew.",
        remedy: "Nothing.")
    package static let invalidProperty = ErrorCode(
        "invalid-property", .failure,
        "A connector's property has a value that its library refuses.",
        remedy: "Correct the property that the message names.")
    package static let invalidURL = ErrorCode(
        "invalid-url", .failure, "A URL is not one of its connector.",
        remedy: "Correct it; `penstock stages` shows an example of each.")
    package static let positionMissing = ErrorCode(
        "position-missing", .unavailable,
        "The store has no position for a partition that it should have one for.",
        remedy: "Is it the store that the pipeline has used before?")
    package static let producerBroken = ErrorCode(
        "producer-broken", .passing, "The Kafka producer can't go on.",
        remedy: "Nothing: the next message makes a new one.")
    package static let recordRefused = ErrorCode(
        "record-refused", .record, "The broker refuses a record for good.",
        remedy: "Read its reason in the dead letter.")
    package static let reservedProperty = ErrorCode(
        "reserved-property", .failure, "A Kafka property is set that the program sets by itself.",
        remedy: "Leave it out; the message says why.")
    package static let unknownProperty = ErrorCode(
        "unknown-property", .failure,
        "The Kafka library has no such property, or not in this version.",
        remedy: "Correct its name; the message says which version has it.")

    /// All of these, for the catalogue.
    package static let ofKafka: [ErrorCode] = [
        .busBusy, .busError, .busFenced, .busForbidden, .busTimeout, .busUnsupported, .busUnusable,
        .consumerClosed, .groupRebalancing, .invalidProperty, .invalidURL, .positionMissing,
        .producerBroken, .recordRefused, .reservedProperty, .unknownProperty,
    ]
}
