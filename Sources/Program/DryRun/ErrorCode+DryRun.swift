package import PipelineCore

/// What DryRun alone throws.
extension ErrorCode {
    package static let noInput = ErrorCode(
        "no-input", .failure, "A dry run found no input to feed.",
        remedy: "Give the pipeline an ingest with an input.")
    package static let rehearsalFailed = ErrorCode(
        "rehearsal-failed", .failure, "The pipeline gave up in a dry run's simulation.",
        remedy: "Read the reason behind it.")

    /// All of these, for the catalogue.
    package static let ofDryRun: [ErrorCode] = [.noInput, .rehearsalFailed]
}
