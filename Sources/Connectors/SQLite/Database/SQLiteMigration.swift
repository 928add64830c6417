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
}

extension SQLiteDatabase {
    /// Creates or updates a component's tables in one transaction. Safe to run again, and by two
    /// processes at once.
    ///
    /// - Throws: `fatal` `schema-newer` when a later version of the program has been at the file.
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
                    "schema-newer",
                    "\(path) was written by a later version of this program "
                        + "(\(migration.component) \(version)); use that, or another file")
            }
            for step in migration.steps[version...] { try connection.execute(step) }
            try connection.run(
                "INSERT OR REPLACE INTO schema_versions VALUES(?1, ?2)",
                migration.component, migration.steps.count)
        }
    }
}
