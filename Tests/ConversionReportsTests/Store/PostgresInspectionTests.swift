import PipelineCore
import Postgres
import SQLite
import Testing

@testable import ConversionReports

@Suite("Looking at events and reports in PostgreSQL", .timeLimit(.minutes(2)))
struct PostgresInspectionTests {
    private func findings(_ database: TestDatabase) async throws -> [ResourceFinding] {
        let pool = try database.pool()
        let found = try await pool.inspect(timeout: .seconds(10)) {
            try PostgresReportStore.findings($0)
        }
        await pool.close()
        return Array(found.dropFirst())
    }

    /// Databases keep what these identify: append a step, never change one.
    @Test("knows steps that are what they were when they were shipped, in both stores")
    func digests() {
        #expect(
            PostgresReportStore.migration.digests == [
                "156ec51b103491d984c067631e13e03f", "5c40e2452c644ea9ddd22a389839f16c",
            ])
        #expect(
            SQLiteReportStore.migration.digests == [
                "c8c9d071dd1aaeffaf6a6e13b66f2792", "7fcc9a762010cd64492f3b70ced394a3",
            ])
    }

    @Test("says whether the tables are there")
    func tables() async throws {
        try await TestDatabase.with { database in
            #expect(try await findings(database).map(\.verdict) == [.wrong])
            try await database.withStore { _ in }
            #expect(
                try await findings(database) == [
                    ResourceFinding("events and reports", .ok, "its tables have version 2")
                ])
        }
    }

    @Test("knows every column that a migration makes, those of single months apart")
    func columns() async throws {
        try await TestDatabase.with { database in
            try await database.withStore { _ in }
            let pool = try database.pool()
            let made = try await pool.withConnection { connection in
                let rows = try connection.query(
                    """
                    select table_name::text, column_name::text from information_schema.columns
                    where table_schema = 'conversion' and table_name <> 'schema_versions'
                      and table_name !~ '^events_[0-9]'
                    """)
                return (0..<rows.rowCount).map { "\(rows.text($0, 0)).\(rows.text($0, 1))" }
            }
            await pool.close()
            let known = PostgresReportStore.columns.flatMap { table, columns in
                columns.map { "\(table).\($0)" }
            }
            #expect(Set(made) == Set(known))
        }
    }
}
