package import PipelineCore

/// What webhooks alone throw or refuse with.
extension ErrorCode {
    package static let webhookAddress = ErrorCode(
        "webhook-address", .noted,
        "The receiver's name leads to this machine, to a private network, or to nobody: it is not called.",
        remedy:
            "Correct the name, or name the host in \"allow_hosts\" if it is meant; the calls wait.")
    package static let webhookClosed = ErrorCode(
        "webhook-closed", .passing, "The webhook was called while the process stopped.",
        remedy: "Nothing: it is called again.")
    package static let webhookEncryption = ErrorCode(
        "webhook-encryption", .passing,
        "The receiver and this process do not agree on encryption.",
        remedy:
            "Check the receiver's certificate and its name, \"ca\", and the port; the calls wait."
    )
    package static let webhookGone = ErrorCode(
        "webhook-gone", .record, "The receiver says that it is gone for good (410).",
        remedy: "Correct the URL, or take the stage out; then replay or drop what is parked.")
    package static let webhookRedirected = ErrorCode(
        "webhook-redirected", .record,
        "The receiver answers with another address (3xx), which is not called.",
        remedy: "Name the new address in the URL, then replay what is parked.")
    package static let webhookRefused = ErrorCode(
        "webhook-refused", .record, "The receiver refuses a call (4xx).",
        remedy: "Ask the receiver why; 401 and 403 are often about the secret. Then replay it.")

    /// All of these, for the catalogue.
    package static let ofWebhooks: [ErrorCode] = [
        .webhookAddress, .webhookClosed, .webhookEncryption, .webhookGone, .webhookRedirected,
        .webhookRefused,
    ]
}
