public import PipelineCore
public import Postgres

extension PostgresReportStore {
    static let migration = PostgresMigration(
        schema: PostgresReportSQL.schema, component: "conversion-reports",
        steps: [PostgresReportSQL.tables, PostgresReportSQL.ownedPositions], tables: columns)

    /// The columns of each table; a test compares them with what a migration makes. Months have
    /// tables like `events`.
    static let columns: [String: [String]] = [
        "events": ["occurred_at", "event_id", "count", "kind", "product_id", "checkout_id"],
        "events_other": ["occurred_at", "event_id", "count", "kind", "product_id", "checkout_id"],
        "rollup_hour": ["bucket", "views", "payments", "product_id", "checkout_id"],
        "rollup_day": ["bucket", "views", "payments", "product_id", "checkout_id"],
        "rollup_deltas": ["bucket", "views", "payments", "product_id", "checkout_id"],
        "event_positions": [
            "source", "partition", "next_offset", "pipeline", "stage", "log", "incarnation",
            "witness_offset", "witness_digest",
        ],
    ]

    /// What storing events takes, and what reading reports does. Months have the rights of
    /// `events`.
    private static func privileges(storing: Bool, reading: Bool) -> PostgresPrivileges {
        var rights = ["schema_versions": ["SELECT"]]
        if storing {
            rights["events"] = ["INSERT"]
            rights["event_positions"] = ["SELECT", "INSERT", "UPDATE", "DELETE"]
            rights["rollup_deltas"] = ["SELECT", "INSERT", "DELETE"]
            for rollup in ["rollup_hour", "rollup_day"] {
                rights[rollup] = ["SELECT", "INSERT", "UPDATE"]
            }
        }
        if reading {
            for table in ["events", "rollup_deltas", "rollup_hour", "rollup_day"] {
                let others = (rights[table] ?? []).filter { $0 != "SELECT" }
                rights[table] = ["SELECT"] + others
            }
        }
        return PostgresPrivileges(schema: migration.schema, relations: rights)
    }

    /// Looks whether the tables are there, and may be used. Only reads.
    public static func findings(
        _ connection: PostgresConnection, storing: Bool = true, reading: Bool = true
    ) throws -> [ResourceFinding] {
        let subject = "events and reports"
        let needed = privileges(storing: storing, reading: reading)
        if let lacking = try connection.finding(subject, lacking: needed) { return [lacking] }
        return [try connection.state(of: migration).finding(subject)]
    }
}

extension PostgresReportStore {
    /// Where a pipeline goes on in a log; `nil` without positions, or without tables of this
    /// version. Only reads.
    public static func storedPositions(
        of log: LogName, pipeline: String, _ connection: PostgresConnection
    ) throws -> StoredPositions? {
        guard try connection.state(of: migration).finding("").verdict == .ok else { return nil }
        let rows = try connection.query(
            """
            SELECT source, partition, next_offset, witness_offset, witness_digest
            FROM conversion.event_positions
            WHERE pipeline = $1::text AND log = $2::text
              OR pipeline = '' AND log IS NULL AND source = $3::text
            """
        ) {
            $0.add(text: pipeline)
            $0.add(text: log.key)
            $0.add(text: log.formerKey)
        }
        return rows.rowCount == 0 ? nil : rows.positions(of: log)
    }
}

extension PostgresReportStore {
    /// The stages that have positions in a log; none without tables of this version. Only reads.
    public static func storers(
        of log: LogName, _ connection: PostgresConnection
    ) throws -> [StateName] {
        guard try connection.state(of: migration).finding("").verdict == .ok else { return [] }
        return try connection.storers(of: log)
    }
}

extension PostgresReportStore: StateAdministration {
    public func rename(_ renamings: [StateRenaming], isTrial: Bool) async throws -> [[String]] {
        try await renamings.done(
            isTrial: isTrial, in: { try await pool.withTransaction("BEGIN", $0) }
        ) {
            try Self.rename($0, $1)
        }
    }

    /// One renaming, within somebody's transaction.
    public static func rename(
        _ renaming: StateRenaming, _ connection: PostgresConnection
    ) throws -> [String] {
        let (old, new) = (renaming.old, renaming.new)
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
        if moved == 0 { return [] }
        try renaming.check(.events)
        return ["\(new) stores events where \(old) was: \(moved) partition(s)"]
    }

    /// Nothing waits in a store of events; where stages that are gone have read them up to is
    /// forgotten.
    public func abandon(
        _ name: StateName, besides owners: [StateOwner], reason: String, isTrial: Bool
    ) async throws -> [String] {
        if name.isAtHand(among: owners) { return [] }
        return try await pool.withTransaction { connection in
            let rows = try connection.query(
                """
                SELECT pipeline, stage, count(*)::int FROM conversion.event_positions
                WHERE pipeline = $1 AND ($2::text IS NULL OR stage = $2)
                GROUP BY pipeline, stage ORDER BY stage
                """
            ) {
                $0.add(text: name.pipeline)
                $0.add(text: name.part)
            }
            return try (0..<rows.rowCount).compactMap { row in
                let stage = StateName(pipeline: rows.text(row, 0), part: rows.text(row, 1))
                if stage.isAtHand(among: owners) { return nil }
                if !isTrial {
                    try connection.query(
                        "DELETE FROM conversion.event_positions WHERE pipeline = $1 AND stage = $2"
                    ) {
                        $0.add(text: stage.pipeline)
                        $0.add(text: stage.part)
                    }
                }
                return stage.forgotten(partitions: rows.int(row, 2))
            }
        }
    }
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
