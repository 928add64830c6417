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

    /// Looks whether the tables are there. Only reads.
    public static func findings(_ connection: PostgresConnection) throws -> [ResourceFinding] {
        [try connection.state(of: migration).finding("events and reports")]
    }
}
