internal import Ledger
public import PipelineCore
public import Postgres

extension PostgresLedgerProvider {
    /// Looks whether the tables are there, and what rules are in force. Only reads.
    public static func findings(
        on needs: [LedgerNeed], _ connection: PostgresConnection
    ) throws -> [ResourceFinding] {
        if needs.isEmpty { return [] }
        let state = try connection.state(of: LedgerSchema.migration)
        let tables = state.finding("ledger")
        guard tables.verdict == .ok else { return [tables] }
        return try [tables]
            + needs.map { need in
                let stored = try connection.query(
                    "select rule, revision from penstock.stages where pipeline = $1 and name = $2"
                ) {
                    $0.add(text: need.pipeline)
                    $0.add(text: need.stage)
                }
                if stored.rowCount == 0 { return need.finding(stored: nil) }
                return need.finding(stored: (stored.text(0, 0), stored.int64(0, 1)))
            }
    }
}
