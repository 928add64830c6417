package import PipelineCore

/// What Postgres alone throws.
extension ErrorCode {
    package static let invalidAddress = ErrorCode(diagnostic: "invalid-address", .failure)
    package static let storeAuthentication = ErrorCode(
        "store-authentication", .unavailable, "PostgreSQL refuses the login.",
        remedy: "Check user, password and pg_hba.conf.")
    package static let storeClosed = ErrorCode(
        "store-closed", .passing, "The store was used while the process stopped.",
        remedy: "Nothing.")
    package static let storeEncoding = ErrorCode(
        "store-encoding", .unavailable, "The database's encoding can't hold every text.",
        remedy: "Make the database with encoding UTF8.")
    package static let storeEncryption = ErrorCode(
        "store-encryption", .unavailable, "PostgreSQL and this process do not agree on encryption.",
        remedy: "Check sslmode, the certificates and the host's name; the message says which.")
    package static let storeMissing = ErrorCode(
        "store-missing", .unavailable, "PostgreSQL has no such database.",
        remedy: "Create it, then run `penstock migrate`.")
    package static let storeNewer = ErrorCode(
        "store-newer", .unavailable, "The tables were made by a newer version of the program.",
        remedy: "Use that version.")
    package static let storeOptions = ErrorCode(
        "store-options", .unavailable,
        "PostgreSQL, or a pooler before it, does not take the settings of a session.",
        remedy: "Leave the setting out; for PgBouncer see ignore_startup_parameters.")
    package static let storePermission = ErrorCode(
        "store-permission", .unavailable, "PostgreSQL does not allow what was asked for.",
        remedy: "Grant the user what the message names.")
    package static let storeReadOnly = ErrorCode(
        "store-read-only", .passing, "The server takes no writes.",
        remedy: "The address must name the primary server.")
    package static let storeRefused = ErrorCode(
        "store-refused", .unavailable, "What answers at the address does not let a session begin.",
        remedy: "Read its message: is it PostgreSQL, and does that database take connections?")
    package static let storeResources = ErrorCode(
        "store-resources", .passing, "The server lacks memory or another resource.",
        remedy: "Look at the server's log.")
    package static let storeStatement = ErrorCode(
        "store-statement", .failure, "The server refuses a statement.",
        remedy: "Read its message; report it if the tables are ours alone.")
    package static let storeStatementStale = ErrorCode(
        "store-statement-stale", .passing, "A prepared statement no longer fits the tables.",
        remedy: "Nothing: it is prepared anew.")
    package static let storeTimeout = ErrorCode(
        "store-timeout", .passing, "A statement took longer than the server allows.",
        remedy: "Raise statement_timeout if this is expected.")
    package static let storeVersion = ErrorCode(
        "store-version", .unavailable, "The server is older than PostgreSQL 13.",
        remedy: "Use a newer server.")

    /// All of these, for the catalogue.
    package static let ofPostgres: [ErrorCode] = [
        .invalidAddress, .storeAuthentication, .storeClosed, .storeEncoding, .storeEncryption,
        .storeMissing, .storeNewer, .storeOptions, .storePermission, .storeReadOnly, .storeRefused,
        .storeResources, .storeStatement, .storeStatementStale, .storeTimeout, .storeVersion,
    ]
}
