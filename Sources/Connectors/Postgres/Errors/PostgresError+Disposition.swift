public import PipelineCore

extension PipelineError {
    /// The server's error behind this one.
    public var postgres: PostgresError? { cause as? PostgresError }
}

extension PostgresError {
    /// The operating error: what the runtime may do about it, and what a person can.
    func pipelineError(server: String) -> PipelineError {
        let (disposition, code, advice) = classification
        let sentence = "PostgreSQL at \(server): \(description)\(advice.map { "; \($0)" } ?? "")"
        return PipelineError(disposition, code: code, sentence, cause: self)
    }

    private typealias Classification = (PipelineError.Disposition, code: String, advice: String?)

    private var classification: Classification {
        switch sqlState {
        case "", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04":
            (.retryable, "store-unavailable", nil)
        case "53300":
            (.retryable, "store-busy", "lower `connections` or raise the server's max_connections")
        case "53100": (.retryable, "store-full", "free space on the server's disk")
        case "57014": (.retryable, "store-timeout", "raise `statement_timeout` if this is expected")
        case "55P03", "40001", "40P01": (.retryable, "store-conflict", nil)
        case "25006":
            (.retryable, "store-read-only", "the address must name the primary server")
        case "26000",
            "0A000" where message.contains("cached plan"):
            (.retryable, "store-statement-stale", nil)
        case "28P01", "28000":
            (.fatal, "store-authentication", "check user, password and pg_hba.conf")
        case "3D000": (.fatal, "store-missing", "create the database first")
        case "42501": (.fatal, "store-permission", "grant the user what is missing")
        case "42P01", "42703", "42883", "3F000", "42704":
            (.fatal, "store-schema", "run `penstock migrate`")
        default: classificationByClass
        }
    }

    private var classificationByClass: Classification {
        switch sqlState.prefix(2) {
        case "08": (.retryable, "store-unavailable", nil)
        case "40": (.retryable, "store-conflict", nil)
        case "53", "58": (.retryable, "store-resources", nil)
        case "22", "54": (.permanent, "store-data", nil)
        case "23": (.permanent, "store-constraint", nil)
        default: (.fatal, "store-statement", nil)
        }
    }
}
