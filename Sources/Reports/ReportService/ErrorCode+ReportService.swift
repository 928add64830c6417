package import PipelineCore

/// What ReportService alone throws.
extension ErrorCode {
    package static let ambiguousAPI = ErrorCode(
        "ambiguous-api", .failure, "Two inputs take requests from one API.",
        remedy: "Give each an address of its own.")
    package static let generatorBroken = ErrorCode(
        "generator-broken", .passing, "A remote generator failed over a batch.",
        remedy: "Look at its log; a batch over which generators keep failing is halved.")
    package static let generatorError = ErrorCode(
        "generator-error", .record, "A remote generator failed a case without saying a code.",
        remedy: "Read the case's reason; the generator should say a code.")
    package static let generatorMisplaced = ErrorCode(
        "generator-misplaced", .passing, "What answers at an address of the stage is no generator.",
        remedy: "Correct the address; batches go to the others, or wait.")
    package static let generatorRefused = ErrorCode(
        "generator-refused", .record, "A remote generator refuses a batch as it is.",
        remedy:
            "Nothing: the batch is halved until the cases that it refuses stand alone. Read its message."
    )
    package static let generatorUnavailable = ErrorCode(
        "generator-unavailable", .passing, "No generator of the stage's addresses can be reached.",
        remedy: "Start `penstock generate` there, or correct the addresses; batches wait meanwhile."
    )
    package static let noDescriptor = ErrorCode(
        "no-descriptor", .passing, "The process has no file descriptor left to listen with.",
        remedy: "Raise the limit of open files (ulimit -n).")
    package static let permissionDenied = ErrorCode(
        "permission-denied", .record, "The caller's role may not do that.",
        remedy:
            "Use a credential of another role: requester (own cases), reader, operator or admin.")
    package static let unauthenticated = ErrorCode(
        "unauthenticated", .record, "The caller has no credential, or none that is good now.",
        remedy:
            "Send \"authorization: Bearer TOKEN\" (commands: --token-file or PENSTOCK_TOKEN); the server's log says what is wrong with it."
    )
    package static let unusableCredentials = ErrorCode(
        "unusable-credentials", .unavailable,
        "A file of tokens, or of keys for JWTs, can't be read or is damaged.",
        remedy: "See that the process may read it; `penstock token create` makes a file of tokens.")
    package static let unknownCase = ErrorCode(
        "unknown-case", .record, "There is no case of that id.",
        remedy: "Check the id; answered cases are deleted after the pipeline's retention.")
    package static let invalidGenerator = ErrorCode(diagnostic: "invalid-generator", .failure)

    /// All of these, for the catalogue.
    package static let ofReportService: [ErrorCode] = [
        .ambiguousAPI, .generatorBroken, .generatorError, .generatorMisplaced, .generatorRefused,
        .generatorUnavailable, .invalidGenerator, .noDescriptor, .permissionDenied,
        .unauthenticated, .unknownCase, .unusableCredentials,
    ]
}
