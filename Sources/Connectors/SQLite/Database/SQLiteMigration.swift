internal import PipelineCore

/// The tables of one component of a file, as steps that have been shipped: append, never change
/// one.
public struct SQLiteMigration: Sendable {
    public var component: String
    /// SQL scripts; the version of a file is how many it has seen.
    public var steps: [String]
    public init(component: String, steps: [String]) {
        self.component = component
        self.steps = steps
    }

    /// What identifies the text of each step; a file keeps those of the steps it has seen.
    public var digests: [String] { steps.map { Digest(of: Bytes($0.utf8)).hexadecimal } }
}

extension SQLiteDatabase {
    /// Creates or updates a component's tables in one transaction. Safe to run again, and by two
    /// processes at once.
    ///
    /// - Throws: `fatal` `schema-newer` when a later version of the program has been at the file,
    ///   `store-changed` when a step that it has seen is not this program's.
    public func migrate(_ migration: SQLiteMigration) async throws {
        let path = path
        try await write { connection in
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_versions(
                  component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID
                """)
            let version =
                try connection.first(
                    "SELECT version FROM schema_versions WHERE component = ?1", migration.component
                ) { $0.int(0) } ?? 0
            guard version <= migration.steps.count else {
                throw PipelineError.fatal(
                    .schemaNewer,
                    "\(path) was written by a later version of this program "
                        + "(\(migration.component) \(version)); use that, or another file")
            }
            if let step = try connection.changedSteps(of: migration).first {
                throw PipelineError.fatal(
                    .storeChanged,
                    "step \(step) of \(migration.component) in \(path) was made by another program:"
                        + " its text has changed since; use the build that made it, or one that"
                        + " leaves old steps as they were")
            }
            for step in migration.steps[version...] { try connection.execute(step) }
            try connection.run(
                "INSERT OR REPLACE INTO schema_versions VALUES(?1, ?2)",
                migration.component, migration.steps.count)
            try connection.recordDigests(of: migration)
        }
    }
}

extension SQLiteConnection {
    /// The steps, counted from 1, whose text was another when the file saw them.
    func changedSteps(of migration: SQLiteMigration) throws -> [Int] {
        guard try hasTable("schema_steps") else { return [] }
        var changed: [Int] = []
        let digests = migration.digests
        try forEach(
            "SELECT version, digest FROM schema_steps WHERE component = ?1 ORDER BY version",
            migration.component
        ) { row in
            let version = row.int(0)
            if digests.indices.contains(version - 1), digests[version - 1] != row.text(1) {
                changed.append(version)
            }
        }
        return changed
    }

    /// Steps that an earlier program has made without a word about their text: it is taken to be
    /// this program's, once.
    fileprivate func recordDigests(of migration: SQLiteMigration) throws {
        try execute(
            """
            CREATE TABLE IF NOT EXISTS schema_steps(
              component TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL,
              PRIMARY KEY(component, version)) WITHOUT ROWID
            """)
        for (index, digest) in migration.digests.enumerated() {
            try run(
                "INSERT OR IGNORE INTO schema_steps VALUES(?1, ?2, ?3)", migration.component,
                index + 1, digest)
        }
    }
}
