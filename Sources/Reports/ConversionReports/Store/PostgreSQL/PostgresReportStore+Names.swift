public import PipelineCore
internal import Postgres

extension PostgresReportStore: StateAdministration {
    public func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await pool.withTransaction { connection in
            func run(_ sql: String) throws -> PostgresResult {
                try connection.query(sql) {
                    $0.add(text: old.pipeline)
                    $0.add(text: old.part)
                    $0.add(text: new.pipeline)
                    $0.add(text: new.part)
                }
            }
            let both = try run(
                """
                SELECT 1 FROM conversion.event_positions o JOIN conversion.event_positions n
                  ON n.pipeline = $3 AND n.stage = coalesce($4, o.stage) AND n.log = o.log
                WHERE o.pipeline = $1 AND ($2::text IS NULL OR o.stage = $2)
                  AND (n.pipeline, n.stage) <> (o.pipeline, o.stage) LIMIT 1
                """)
            if both.rowCount > 0 { throw PipelineError.positionsOwned(new) }
            let moved = try run(
                """
                UPDATE conversion.event_positions SET pipeline = $3, stage = coalesce($4, stage)
                WHERE pipeline = $1 AND ($2::text IS NULL OR stage = $2)
                """
            ).affectedRows
            return moved == 0
                ? [] : ["\(new) stores events where \(old) was: \(moved) partition(s)"]
        }
    }

    /// Nothing waits in a store of events.
    public func abandon(
        _ name: StateName, reason: String, isTrial: Bool
    ) async throws -> [String] { [] }
}

extension PostgresConnection {
    /// The stages that have positions in the log.
    func storers(of log: LogName) throws -> [StateName] {
        let rows = try query(
            """
            SELECT DISTINCT pipeline, stage FROM conversion.event_positions
            WHERE log = $1 AND pipeline <> '' ORDER BY 1, 2
            """
        ) { $0.add(text: log.key) }
        return (0..<rows.rowCount).map {
            StateName(pipeline: rows.text($0, 0), part: rows.text($0, 1))
        }
    }
}
