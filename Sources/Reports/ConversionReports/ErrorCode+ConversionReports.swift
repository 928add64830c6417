package import PipelineCore

/// What ConversionReports alone throws.
extension ErrorCode {
    package static let deadlinePassed = ErrorCode(
        "deadline-passed", .record, "A request's deadline had passed when it was sent.",
        remedy: "Send it again with a later deadline, or without one.")
    package static let malformed = ErrorCode(
        "malformed", .record, "A payload is neither JSON nor protobuf of the expected message.",
        remedy: "Look at the dead letter: who sends this?")
    package static let unreadableOutcome = ErrorCode(
        "unreadable-outcome", .record, "A stored outcome can't be rendered.",
        remedy: "Was it written by a newer version of the program? Use that.")
    package static let unsupportedContentType = ErrorCode(
        "unsupported-content-type", .record,
        "A record's content-type is neither JSON nor protobuf.",
        remedy: "Send application/json or application/x-protobuf.")

    /// All of these, for the catalogue.
    package static let ofConversionReports: [ErrorCode] = [
        .deadlinePassed, .malformed, .unreadableOutcome, .unsupportedContentType,
    ]
}
