public import PipelineCore

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

/// How much of a component's tables a database has.
public struct MigrationState: Sendable, Hashable {
    /// 0 without any.
    public var version: Int
    /// What this program's version has.
    public var known: Int
    /// Tables and columns that should be there, as `schema.table.column`; empty for an older
    /// version.
    public var missing: [String]
    /// Steps, counted from 1, whose text was another when the database saw them.
    public var changed: [Int]

    /// What is to be told about it.
    public func finding(_ subject: String) -> ResourceFinding {
        if version == 0 {
            return ResourceFinding(
                subject, .wrong, "its tables are not there", hint: "run `penstock migrate`")
        }
        if version < known {
            return ResourceFinding(
                subject, .wrong, "its tables have version \(version), not \(known)",
                hint: "run `penstock migrate`")
        }
        if version > known {
            return ResourceFinding(
                subject, .wrong,
                "its tables have version \(version), this program knows \(known)",
                hint: "use the newer program")
        }
        if let step = changed.first {
            return ResourceFinding(
                subject, .wrong,
                "step \(step) of its tables was made by another program: its text has changed since",
                hint: "use the build that made it, or one that leaves old steps as they were")
        }
        if !missing.isEmpty {
            return ResourceFinding(
                subject, .wrong,
                "its tables have version \(version), but lack \(missing.joined(separator: ", "))",
                hint: "somebody took them away: restore them from a backup")
        }
        return ResourceFinding(subject, .ok, "its tables have version \(version)")
    }
}

extension PostgresConnection {
    /// Looks how much of a component's tables the database has. Only reads.
    public func state(of migration: PostgresMigration) throws -> MigrationState {
        let known = migration.steps.count
        let table = try query("select to_regclass($1 || '.schema_versions') is not null") {
            $0.add(text: migration.schema)
        }
        let version = table.bool(0, 0) ? try self.version(of: migration) : 0
        let changed = version == 0 ? [] : try changedSteps(of: migration)
        return MigrationState(
            version: version, known: known,
            missing: version == known ? try missingColumns(of: migration) : [], changed: changed)
    }

    private func missingColumns(of migration: PostgresMigration) throws -> [String] {
        let columns = migration.tables.flatMap { table, columns in columns.map { (table, $0) } }
        let missing = try query(
            """
            select t, c from unnest($2::text[], $3::text[]) with ordinality x(t, c, ord)
            where not exists (
              select from pg_attribute a join pg_class r on r.oid = a.attrelid
              join pg_namespace n on n.oid = r.relnamespace
              where n.nspname = $1 and r.relname = t and a.attname = c and not a.attisdropped)
            order by t, ord
            """
        ) {
            $0.add(text: migration.schema)
            $0.add(texts: columns.map(\.0))
            $0.add(texts: columns.map(\.1))
        }
        return (0..<missing.rowCount).map {
            "\(migration.schema).\(missing.text($0, 0)).\(missing.text($0, 1))"
        }
    }
}
