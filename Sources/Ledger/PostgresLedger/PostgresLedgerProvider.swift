public import Ledger
internal import PipelineCore
public import Postgres

/// Keeps ledgers in a PostgreSQL database, in the schema `penstock`.
public struct PostgresLedgerProvider: LedgerProvider {
    private let pool: PostgresPool

    public init(pool: PostgresPool) { self.pool = pool }

    public func ledger(for stage: LedgerStage) throws -> any Ledger {
        PostgresLedger(pool: pool, stage: stage)
    }

    public func migrateLedger() async throws { try await pool.migrate(LedgerSchema.migration) }

    /// - Throws: `fatal` `store-schema` when the tables are not there or not up to date.
    public func probe() async throws {
        try await pool.probe()
        let (version, known) = (
            try await pool.version(of: LedgerSchema.migration), LedgerSchema.migration.steps.count
        )
        guard version >= known else {
            throw PipelineError.fatal(
                "store-schema",
                "the ledger's tables in PostgreSQL at \(pool.server) have version \(version), not"
                    + " \(known): run `penstock migrate`")
        }
    }

    public func close() async { await pool.close() }
}
