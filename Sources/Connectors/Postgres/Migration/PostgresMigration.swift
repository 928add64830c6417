internal import PipelineCore

/// The tables of one component, as a list of steps that are only ever added to.
public struct PostgresMigration: Sendable {
    /// The schema that holds the tables and `schema_versions`.
    public var schema: String
    public var component: String
    /// Scripts; the first makes version 1. Each runs once.
    public var steps: [PostgresScript]
    /// The columns of each table after the last step, for whoever looks whether they are there.
    public var tables: [String: [String]]

    public init(
        schema: String, component: String, steps: [PostgresScript],
        tables: [String: [String]] = [:]
    ) {
        self.tables = tables
        self.schema = schema
        self.component = component
        self.steps = steps
    }
}

extension PostgresPool {
    /// Runs the steps that the database has not seen, in one transaction, one process at a time.
    ///
    /// - Throws: `fatal` `store-newer` when the database is ahead of this program.
    public func migrate(_ migration: PostgresMigration) async throws {
        try await withTransaction { connection in
            try connection.run("SET LOCAL statement_timeout = 0")
            // One number for all components: they share the schema and its table of versions.
            try connection.query("select pg_advisory_xact_lock(7091326645287318633)")
            try connection.prepareSchema(migration.schema)
            let current = try connection.version(of: migration)
            guard current <= migration.steps.count else {
                throw PipelineError.fatal(
                    "store-newer",
                    "\(migration.component) in \(connection.server) has version \(current), this"
                        + " program knows \(migration.steps.count): use the newer program")
            }
            for (index, step) in migration.steps.enumerated().dropFirst(current) {
                try connection.run(step)
                try connection.run(
                    """
                    INSERT INTO \(identifier: migration.schema).schema_versions(component, version)
                    VALUES (\(migration.component), \(index + 1))
                    """)
            }
        }
    }

    /// The version that the database has; 0 without any.
    public func version(of migration: PostgresMigration) async throws -> Int {
        try await withConnection { connection in
            let table = try connection.query("select to_regclass($1 || '.schema_versions') is null")
            {
                $0.add(text: migration.schema)
            }
            return table.bool(0, 0) ? 0 : try connection.version(of: migration)
        }
    }
}

extension PostgresConnection {
    /// Looks first: `IF NOT EXISTS` asks for the right to create even when there is nothing to do.
    fileprivate func prepareSchema(_ schema: String) throws {
        let found = try query(
            "select 1 from pg_namespace where nspname = $1::text", bind: { $0.add(text: schema) })
        if found.rowCount == 0 { try run("CREATE SCHEMA \(identifier: schema)") }
        try run(
            """
            CREATE TABLE IF NOT EXISTS \(identifier: schema).schema_versions(
              component text, version int,
              applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
              PRIMARY KEY (component, version))
            """)
    }

    func version(of migration: PostgresMigration) throws -> Int {
        let script: PostgresScript = """
            SELECT coalesce(max(version), 0) FROM \(identifier: migration.schema).schema_versions
            WHERE component = \(migration.component)
            """
        return try copy(script, from: [])[0].int(0, 0)
    }
}
