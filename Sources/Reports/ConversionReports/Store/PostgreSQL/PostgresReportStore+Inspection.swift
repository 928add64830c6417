public import PipelineCore
public import Postgres

extension PostgresReportStore {
    static let migration = PostgresMigration(
        schema: PostgresReportSQL.schema, component: "conversion-reports",
        steps: [PostgresReportSQL.tables, PostgresReportSQL.ownedPositions], tables: columns)

    /// The columns of each table; a test compares them with what a migration makes. Months have tables like `events`.
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

    /// What storing events takes, and what reading reports does. Months have the rights of `events`.
    static func privileges(storing: Bool, reading: Bool) -> PostgresPrivileges {
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
