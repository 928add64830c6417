package import PipelineCore

/// What PipelineRuntime alone throws.
extension ErrorCode {
    package static let abandoned = ErrorCode(
        "abandoned", .passing,
        "A request was let go because its caller had given up before it was taken in.",
        remedy: "Nothing.")
    package static let ledgerMismatch = ErrorCode(
        "ledger-mismatch", .failure, "A ledger found a conflict at a case that it was not given.",
        remedy: "Correct the ledger: it names cases of the chunk that it was handed.")
    package static let misplacedStage = ErrorCode(diagnostic: "misplaced-stage", .failure)
    package static let sinkMismatch = ErrorCode(
        "sink-mismatch", .failure, "A sink refused a case that it was not given.",
        remedy: "Correct the sink: it refuses cases of the batch that it delivers.")

    /// All of these, for the catalogue.
    package static let ofRuntime: [ErrorCode] = [
        .abandoned, .ledgerMismatch, .misplacedStage, .sinkMismatch,
    ]
}
