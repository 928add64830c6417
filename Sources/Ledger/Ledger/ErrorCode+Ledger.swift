package import PipelineCore

/// What ledgers throw, and nobody else.
extension ErrorCode {
    package static let batchIndivisible = ErrorCode(
        "batch-indivisible", .failure, "A batch was to be divided, but has a single case.",
        remedy: "Report it: the program is at fault, and answers such a case by itself.")
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
        .batchIndivisible, .leaseLost, .outcomesMismatch, .ruleConflict, .ruleOutdated,
    ]
}
