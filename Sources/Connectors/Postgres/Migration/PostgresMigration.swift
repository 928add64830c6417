internal import PipelineCore

/// The tables of one component, as a list of steps that are only ever added to.
public struct PostgresMigration: Sendable {
    /// The schema that holds the tables and `schema_versions`.
    public var schema: String
    public var component: String
    /// Scripts; the first makes version 1. Each runs once, and is never changed afterwards: a
    /// database keeps the digests of those it has seen.
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

    /// What identifies the text of each step.
    public var digests: [String] { steps.map { Digest(of: Bytes($0.text.utf8)).hexadecimal } }
}

extension PostgresPool {
    /// Runs the steps that the database has not seen, in one transaction, one process at a time.
    ///
    /// - Throws: `fatal` `store-newer` when the database is ahead of this program, `store-changed`
    ///   when a step that it has seen is not this program's, `store-encoding` when it can't hold
    ///   every text.
    public func migrate(_ migration: PostgresMigration) async throws {
        try await withTransaction { connection in
            try connection.run("SET LOCAL statement_timeout = 0")
            try connection.checkEncoding()
            // One number for all components: they share the schema and its table of versions.
            try connection.query("select pg_advisory_xact_lock(7091326645287318633)")
            try connection.prepareSchema(migration.schema)
            let current = try connection.version(of: migration)
            guard current <= migration.steps.count else {
                throw PipelineError.fatal(
                    .storeNewer,
                    "\(migration.component) in \(connection.server) has version \(current), this"
                        + " program knows \(migration.steps.count): use the newer program")
            }
            let changed = try connection.changedSteps(of: migration)
            if let step = changed.first {
                throw migration.changedError(step, server: connection.server)
            }
            let digests = migration.digests
            for (index, step) in migration.steps.enumerated().dropFirst(current) {
                try connection.run(step)
                try connection.run(
                    """
                    INSERT INTO \(identifier: migration.schema).schema_versions
                      (component, version, digest)
                    VALUES (\(migration.component), \(index + 1), \(digests[index]))
                    """)
            }
            try connection.recordDigests(of: migration)
        }
    }

    /// Looks whether `run` can work with the component's tables. Only reads.
    ///
    /// - Throws: `fatal` `store-schema` when they are not there or not up to date, `store-changed`
    ///   when a step that made them is not this program's, `store-encoding` when the database
    ///   can't hold every text.
    public func check(_ migration: PostgresMigration) async throws {
        try await withConnection { try $0.check(migration) }
    }
}

extension PostgresMigration {
    fileprivate func changedError(_ step: Int, server: String) -> PipelineError {
        .fatal(
            .storeChanged,
            "step \(step) of \(component) in PostgreSQL at \(server) was made by another program:"
                + " its text has changed since; use the build that made it, or one that leaves old"
                + " steps as they were")
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
        if try !keepsDigests(schema) {
            try run(
                "ALTER TABLE \(identifier: schema).schema_versions ADD COLUMN digest text")
        }
    }

    fileprivate func check(_ migration: PostgresMigration) throws {
        try checkEncoding()
        let state = try state(of: migration)
        if state.version < state.known {
            throw PipelineError.fatal(
                .storeSchema,
                "the tables of \(migration.component) in PostgreSQL at \(server) have version"
                    + " \(state.version), not \(state.known): run `penstock migrate`")
        }
        if let step = state.changed.first {
            throw migration.changedError(step, server: server)
        }
    }

    private func keepsDigests(_ schema: String) throws -> Bool {
        let found = try query(
            """
            select 1 from pg_attribute
            where attrelid = to_regclass(quote_ident($1) || '.schema_versions')
              and attname = 'digest' and not attisdropped
            """
        ) { $0.add(text: schema) }
        return found.rowCount > 0
    }

    /// The steps, counted from 1, whose text was another when the database saw them.
    func changedSteps(of migration: PostgresMigration) throws -> [Int] {
        guard try keepsDigests(migration.schema) else { return [] }
        let found = try query(
            """
            select x.version::int from unnest($2::text[]) with ordinality x(digest, version)
            join \(migration.schema).schema_versions v on v.version = x.version
            where v.component = $1 and v.digest <> x.digest order by 1
            """
        ) {
            $0.add(text: migration.component)
            $0.add(texts: migration.digests)
        }
        return (0..<found.rowCount).map { found.int($0, 0) }
    }

    /// Steps that an earlier program has made without a word about their text: it is taken to be
    /// this program's, once.
    fileprivate func recordDigests(of migration: PostgresMigration) throws {
        try query(
            """
            update \(migration.schema).schema_versions v set digest = x.digest
            from unnest($2::text[]) with ordinality x(digest, version)
            where v.component = $1 and v.version = x.version and v.digest is null
            """
        ) {
            $0.add(text: migration.component)
            $0.add(texts: migration.digests)
        }
    }

    func version(of migration: PostgresMigration) throws -> Int {
        let script: PostgresScript = """
            SELECT coalesce(max(version), 0) FROM \(identifier: migration.schema).schema_versions
            WHERE component = \(migration.component)
            """
        return try copy(script, from: [])[0].int(0, 0)
    }
}
