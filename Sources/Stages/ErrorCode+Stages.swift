package import PipelineCore

/// What Stages alone throws.
extension ErrorCode {
    package static let acceptanceUnknown = ErrorCode(
        "acceptance-unknown", .passing,
        "The store did not answer in time while a request was being stored.",
        remedy: "Send it again with the same case_id: it is taken in once.")
    package static let busMismatch = ErrorCode(
        "bus-mismatch", .failure, "A bus refused a message that it was not given.",
        remedy: "Correct the bus: it names messages of the send that it answers.")
    package static let foreignCacheEntry = ErrorCode(
        "foreign-cache-entry", .noted,
        "What lies under a case's key in the cache is not that case's answer.",
        remedy: "The store answers instead. Who else writes to that database of Redis?")
    package static let notAccepted = ErrorCode(
        "not-accepted", .passing,
        "A request was not taken in within the time that its caller is kept waiting.",
        remedy: "Send it again; the message says what the store said.")
    package static let notHandedOver = ErrorCode(
        "not-handed-over", .passing, "Records could not be handed to the chain, which is stopping.",
        remedy: "Nothing: they are read again.")
    package static let unknownCodec = ErrorCode(diagnostic: "unknown-codec", .failure)
    package static let unknownGenerator = ErrorCode(diagnostic: "unknown-generator", .failure)
    package static let webhookMismatch = ErrorCode(
        "webhook-mismatch", .failure, "A webhook answered another number of calls than were made.",
        remedy: "Correct the connector: one answer a call, in order.")

    /// All of these, for the catalogue.
    package static let ofStages: [ErrorCode] = [
        .acceptanceUnknown, .busMismatch, .foreignCacheEntry, .notAccepted, .notHandedOver,
        .unknownCodec,
        .unknownGenerator, .webhookMismatch,
    ]
}
