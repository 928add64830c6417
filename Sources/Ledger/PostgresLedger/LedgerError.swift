internal import PipelineCore
internal import Postgres

/// The states that the ledger's functions raise, as operating errors.
enum LedgerError {
    static let positionMoved = "PS001"

    static func translate(_ error: any Error) -> any Error {
        guard let error = error as? PipelineError else { return error }
        return translate(error)
    }

    static func translate(_ error: PipelineError) -> PipelineError {
        guard let state = error.postgres?.sqlState else { return error }
        switch state {
        case positionMoved:
            return .fenced(
                "position-moved",
                "another process has taken over an input: its stored position has moved",
                cause: error.cause)
        case "PS002":
            return .fenced(
                "rule-outdated", "another process seals under a newer rule", cause: error.cause)
        case "PS003":
            return .retryable(
                "store-conflict", "a batch turned out not to be full", cause: error.cause)
        case "PS004": return leaseLost(cause: error.cause)
        case "PS005":
            return .fatal(
                "outcomes-mismatch", "the outcomes are not those of the batch's cases",
                cause: error.cause)
        case "PS007":
            return .permanent(
                "batch-indivisible", "a batch of one case can't be divided", cause: error.cause)
        default: return error
        }
    }

    static func leaseLost(cause: (any Error)? = nil) -> PipelineError {
        .fenced(
            "lease-lost", "another process has taken over the batch, or it is finished",
            cause: cause)
    }
}
