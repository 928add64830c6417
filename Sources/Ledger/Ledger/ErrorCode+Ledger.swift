package import PipelineCore

/// What Ledger alone throws.
extension ErrorCode {
    package static let batchIndivisible = ErrorCode(
        "batch-indivisible", .passing,
        "A batch that keeps failing was to be divided, but has a single case.",
        remedy: "Nothing: the case is answered with the generator's error.")
    package static let leaseLost = ErrorCode(
        "lease-lost", .passing, "Another worker has taken over the batch.",
        remedy: "Nothing if it is rare; else raise the stage's \"lease\".")
    package static let outcomesMismatch = ErrorCode(
        "outcomes-mismatch", .failure, "A generator answered other cases than those of its batch.",
        remedy: "Correct the generator; the batch is generated again.")
    package static let ruleConflict = ErrorCode(
        "rule-conflict", .unavailable, "Another rule is in force under the same revision.",
        remedy: "Raise the \"revision\" of the rule that is to be the newest.")
    package static let ruleOutdated = ErrorCode(
        "rule-outdated", .passing, "Another process seals under a newer rule.",
        remedy: "Nothing, or start this process with the newer file.")

    /// All of these, for the catalogue.
    package static let ofLedger: [ErrorCode] = [
        .batchIndivisible, .leaseLost, .outcomesMismatch, .ruleConflict, .ruleOutdated,
    ]
}
