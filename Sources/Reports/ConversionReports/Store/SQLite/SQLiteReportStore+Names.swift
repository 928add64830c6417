public import PipelineCore
internal import SQLite

extension SQLiteReportStore: StateAdministration {
    public func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await database.write { connection in
            let both = try connection.first(
                """
                SELECT 1 FROM conversion_event_positions o JOIN conversion_event_positions n
                  ON n.pipeline = ?3 AND n.stage = ifnull(?4, o.stage) AND n.log = o.log
                WHERE o.pipeline = ?1 AND (?2 IS NULL OR o.stage = ?2)
                  AND (n.pipeline, n.stage) <> (o.pipeline, o.stage)
                """, old.pipeline, old.part, new.pipeline, new.part
            ) { $0.int(0) }
            if both != nil { throw PipelineError.positionsOwned(new) }
            let moved = try connection.run(
                """
                UPDATE conversion_event_positions SET pipeline = ?3, stage = ifnull(?4, stage)
                WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
                """, old.pipeline, old.part, new.pipeline, new.part)
            return moved == 0
                ? [] : ["\(new) stores events where \(old) was: \(moved) partition(s)"]
        }
    }

    /// Nothing waits in a store of events.
    public func abandon(
        _ name: StateName, reason: String, isTrial: Bool
    ) async throws -> [String] { [] }
}

extension SQLiteConnection {
    /// The stages that have positions in the log.
    func storers(of log: LogName) throws -> [StateName] {
        var found: [StateName] = []
        try forEach(
            """
            SELECT DISTINCT pipeline, stage FROM conversion_event_positions
            WHERE log = ?1 AND pipeline <> '' ORDER BY 1, 2
            """, log.key
        ) { found.append(StateName(pipeline: $0.text(0), part: $0.text(1))) }
        return found
    }
}
