package import PipelineCore

/// What Files alone throws.
extension ErrorCode {
    package static let fileUnusable = ErrorCode(
        "file-unusable", .unavailable, "A file of lines can't be opened, read or written.",
        remedy: "Check the path, the rights of this user, and the space on the disk.")
    package static let lineTooLong = ErrorCode(
        "line-too-long", .unavailable, "A line of a file is longer than 8 MiB.",
        remedy: "See that the file has one record a line.")
    package static let outputClosed = ErrorCode(
        "output-closed", .outputClosed, "The reader of standard output has gone.",
        remedy: "Nothing: what a ledger holds is delivered by the next run.")
    package static let outputFailed = ErrorCode(
        "output-failed", .outputFailed, "Standard output can't be written to.",
        remedy: "Make room on its disk, or send it elsewhere.")

    /// All of these, for the catalogue.
    package static let ofFiles: [ErrorCode] = [
        .fileUnusable, .lineTooLong, .outputClosed, .outputFailed,
    ]
}
