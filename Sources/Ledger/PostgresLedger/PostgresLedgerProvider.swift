public import Ledger
public import PipelineCore
public import Postgres

/// Keeps ledgers in a PostgreSQL database, in the schema `penstock`.
public struct PostgresLedgerProvider: LedgerProvider {
    let pool: PostgresPool

    public init(pool: PostgresPool) { self.pool = pool }

    public var backend: Backend? { pool.backend }

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

extension PostgresLedgerProvider {
    /// Looks whether the tables are there, and what rules are in force. Only reads.
    public static func findings(
        on needs: [LedgerNeed], _ connection: PostgresConnection
    ) throws -> [ResourceFinding] {
        if needs.isEmpty { return [] }
        if let lacking = try connection.finding("ledger", lacking: LedgerSchema.privileges) {
            return [lacking]
        }
        let state = try connection.state(of: LedgerSchema.migration)
        let tables = state.finding("ledger")
        guard tables.verdict == .ok else { return [tables] }
        let states =
            needs.allSatisfy(\.owners.isEmpty) ? [] : try PostgresStateTables(connection).states()
        return try [tables]
            + needs.flatMap { need in
                let stored = try connection.query(
                    "select rule, revision from penstock.stages where pipeline = $1 and name = $2"
                ) {
                    $0.add(text: need.pipeline)
                    $0.add(text: need.stage)
                }
                let rule: (String, Int64)? =
                    stored.rowCount == 0 ? nil : (stored.text(0, 0), stored.int64(0, 1))
                return [need.finding(stored: rule)] + need.findings(stored: states)
            }
    }
}

extension PostgresLedgerProvider {
    /// Where a pipeline goes on in a log; `nil` without positions, or without tables of this
    /// version. Only reads.
    public static func storedPositions(
        of log: LogName, pipeline: String, _ connection: PostgresConnection
    ) throws -> StoredPositions? {
        guard try connection.state(of: LedgerSchema.migration).finding("").verdict == .ok else {
            return nil
        }
        let rows = try connection.query(
            """
            select p.source, p.part, p.next_offset, p.witness_offset, p.witness_digest
            from penstock.positions p join penstock.stages s using (stage)
            where s.pipeline = $1 and (p.log = $2 or p.log is null and p.source = $3)
            order by p.log is not null desc
            """
        ) {
            $0.add(text: pipeline)
            $0.add(text: log.key)
            $0.add(text: log.formerKey)
        }
        return rows.rowCount == 0 ? nil : rows.positions(of: log)
    }
}
