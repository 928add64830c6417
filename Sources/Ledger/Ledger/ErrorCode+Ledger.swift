package import PipelineCore

extension PipelineError {
    package static func batchUnknown(_ number: Int64, of stage: LedgerStage) -> PipelineError {
        PipelineError(
            .batchUnknown,
            "\(stage.pipeline)/\(stage.stage) has no batch \(number), or no more: `penstock batches` "
                + "lists those it has")
    }

    package static func batchUnfinished(_ number: Int64) -> PipelineError {
        PipelineError(
            .batchUnfinished,
            "batch \(number) has no outcomes yet: its cases are going to be generated anyway")
    }
}

/// What ledgers throw, and nobody else.
extension ErrorCode {
    package static let batchIndivisible = ErrorCode(
        "batch-indivisible", .failure, "A batch was to be divided, but has a single case.",
        remedy: "Report it: the program is at fault, and answers such a case by itself.")
    package static let batchUnfinished = ErrorCode(
        "batch-unfinished", .failure, "A batch without outcomes was to be replayed.",
        remedy: "Wait for it: its cases are generated anyway.")
    package static let batchUnknown = ErrorCode(
        "batch-unknown", .failure, "The stage has no batch of that number.",
        remedy: "`penstock batches` lists them; one that was split or deleted is there no more.")
    package static let leaseLost = ErrorCode(
        "lease-lost", .takenOver, "Another worker has taken over the batch.",
        remedy: "Nothing if it is rare; else raise the stage's \"lease\".")
    package static let outcomesMismatch = ErrorCode(
        "outcomes-mismatch", .failure, "A generator answered other cases than those of its batch.",
        remedy: "Correct the generator; the batch is generated again.")
    package static let ruleConflict = ErrorCode(
        "rule-conflict", .unavailable, "Another rule is in force under the same revision.",
        remedy: "Raise the \"revision\" of the rule that is to be the newest.")
    package static let ruleOutdated = ErrorCode(
        "rule-outdated", .takenOver, "Another process seals under a newer rule.",
        remedy: "Nothing, or start this process with the newer file.")

    /// All of these, for the catalogue.
    package static let ofLedger: [ErrorCode] = [
        .batchIndivisible, .batchUnfinished, .batchUnknown, .leaseLost, .outcomesMismatch,
        .ruleConflict, .ruleOutdated,
    ]
}
