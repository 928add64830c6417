public import Ledger
public import PipelineCore
public import Postgres

/// Keeps ledgers in a PostgreSQL database, in the schema `penstock`.
public struct PostgresLedgerProvider: LedgerProvider {
    let pool: PostgresPool

    public init(pool: PostgresPool) { self.pool = pool }

    public func ledger(for stage: LedgerStage) throws -> any Ledger {
        PostgresLedger(pool: pool, stage: stage)
    }

    public func deadLetters(of pipeline: String) -> any DeadLetterStore {
        PostgresDeadLetters(pool: pool, pipeline: pipeline)
    }

    public func migrateLedger() async throws { try await pool.migrate(LedgerSchema.migration) }

    /// - Throws: `fatal` `store-schema` when the tables are not there or not up to date,
    ///   `store-changed` when another program has made them.
    public func probe() async throws {
        try await pool.probe()
        try await pool.check(LedgerSchema.migration)
    }

    public func close() async { await pool.close() }
}
