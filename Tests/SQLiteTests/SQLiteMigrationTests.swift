import PipelineTesting
import PipelineCore
import Testing

@testable import SQLite

struct SQLiteMigrationTests {
    private let first = "CREATE TABLE a(x)"
    private let second = "CREATE TABLE b(x)"

    private func migration(_ steps: String...) -> SQLiteMigration {
        SQLiteMigration(component: "part", steps: steps)
    }

    private func hasTable(_ name: String, _ database: SQLiteDatabase) async throws -> Bool {
        try await database.read { try $0.hasTable(name) }
    }

    /// A file keeps what these identify: append a step, never change one.
    @Test func `The steps of the bus are what they were when they were shipped`() {
        #expect(
            BusSchema.migration.digests == [
                "dd33a1e1d8508ccf7a036bcd9b2c2bef", "76b5b296415cf264093ed9006c84deac",
            ])
    }

    @Test func `An applied step whose text has changed is refused, and nothing further is run`()
        async throws
    {
        let database = SQLiteDatabase.inMemory()
        try await database.migrate(migration(first))
        let changed = migration("CREATE TABLE a(x INTEGER)", second)
        let error = await #expect(throws: PipelineError.self) {
            try await database.migrate(changed)
        }
        #expect(error?.code == "store-changed")
        #expect(error?.message.hasPrefix("step 1 of part in :memory:") == true)
        #expect(try await !hasTable("b", database))
        let finding = try await database.read { try $0.finding("parts", of: changed) }
        #expect(finding.verdict == .wrong)
        #expect(finding.detail.hasPrefix("step 1 of its tables was made by another program"))
        try await database.migrate(migration(first, second))
        #expect(try await hasTable("b", database))
    }

    @Test func `A file of a program that kept no digests takes the text as read, once`()
        async throws
    {
        let database = SQLiteDatabase.inMemory()
        let first = first
        try await database.write { connection in
            try connection.execute(
                """
                \(first);
                CREATE TABLE schema_versions(
                  component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
                INSERT INTO schema_versions VALUES('part', 1);
                """)
        }
        try await database.migrate(migration(first, second))
        try await database.migrate(migration(first, second))
        let error = await #expect(throws: PipelineError.self) {
            try await database.migrate(migration(second, second))
        }
        #expect(error?.code == "store-changed")
    }
}
