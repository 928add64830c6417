import PipelineCore
import Postgres
import Testing

@Suite("Migrations", .timeLimit(.minutes(2)))
struct MigrationTests {
    private static func migration(_ steps: PostgresScript...) -> PostgresMigration {
        PostgresMigration(schema: "parts", component: "part", steps: steps)
    }
    private static let first: PostgresScript = "create table parts.a(x int)"
    private static let second: PostgresScript = "create table parts.b(x int)"

    @Test("An applied step whose text has changed is refused, and nothing further is run")
    func changed() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            try await pool.migrate(Self.migration(Self.first))
            let changed = Self.migration("create table parts.a(x bigint)", Self.second)
            let error = try await #require(throws: PipelineError.self) {
                try await pool.migrate(changed)
            }
            #expect(error.code == .storeChanged)
            #expect(error.message.hasPrefix("step 1 of part in PostgreSQL at "))
            let (state, made) = try await pool.withConnection { connection in
                (
                    try connection.state(of: changed),
                    try connection.query("select to_regclass('parts.b') is not null").bool(0, 0)
                )
            }
            #expect(state.changed == [1])
            #expect(state.version == 1)
            #expect(!made)
            await pool.close()
        }
    }

    @Test("Whoever wants to use the tables is refused for the same reason")
    func use() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            func code(_ migration: PostgresMigration) async -> String? {
                do {
                    try await pool.check(migration)
                    return nil
                } catch { return (error as? PipelineError)?.code.name }
            }
            #expect(await code(Self.migration(Self.first)) == "store-schema")
            try await pool.migrate(Self.migration(Self.first))
            #expect(await code(Self.migration(Self.first)) == nil)
            #expect(await code(Self.migration(Self.first, Self.second)) == "store-schema")
            #expect(await code(Self.migration(Self.second)) == "store-changed")
            // A newer program has added a step: this one may go on while it is replaced.
            try await pool.migrate(Self.migration(Self.first, Self.second))
            #expect(await code(Self.migration(Self.first)) == nil)
            await pool.close()
        }
    }

    @Test(
        "A database that can't hold every text is refused by name",
        arguments: ["LATIN1", "UTF8", "SQL_ASCII"])
    func encoding(_ encoding: String) async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            let name = "\(database.name)_encoded"
            try await pool.withConnection {
                try $0.run(
                    """
                    create database \(identifier: name) encoding \(encoding) template template0
                      lc_collate 'C' lc_ctype 'C'
                    """)
            }
            var address = database.address
            address.properties["dbname"] = name
            let other = try PostgresPool(address)
            let isRefused = encoding == "LATIN1"
            let attempts: [@Sendable () async throws -> Void] = [
                { try await other.migrate(Self.migration(Self.first)) },
                { try await other.check(Self.migration(Self.first)) },
            ]
            for attempt in attempts {
                var error: PipelineError?
                do { try await attempt() } catch let thrown as PipelineError { error = thrown }
                #expect(error?.code.name == (isRefused ? "store-encoding" : nil))
                if isRefused {
                    #expect(error?.message.contains("\(name) in PostgreSQL at ") == true)
                    #expect(error?.message.contains("has the encoding LATIN1") == true)
                }
            }
            let server = try await other.inspect(timeout: .seconds(10)) { _ in [] }[0]
            #expect(server.verdict == (isRefused ? .wrong : .ok))
            await other.close()
            try await pool.withConnection { try $0.run("drop database \(identifier: name)") }
            await pool.close()
        }
    }

    @Test("A database of a program that kept no digests takes the text as read, once")
    func earlier() async throws {
        try await TestDatabase.with { database in
            let pool = try database.pool()
            try await pool.withConnection {
                try $0.run(
                    """
                    create schema parts; create table parts.a(x int);
                    create table parts.schema_versions(
                      component text, version int,
                      applied_at timestamptz not null default clock_timestamp(),
                      primary key (component, version));
                    insert into parts.schema_versions values ('part', 1);
                    """)
            }
            try await pool.check(Self.migration(Self.first))
            try await pool.migrate(Self.migration(Self.first, Self.second))
            try await pool.migrate(Self.migration(Self.first, Self.second))
            let error = await #expect(throws: PipelineError.self) {
                try await pool.migrate(Self.migration(Self.second, Self.second))
            }
            #expect(error?.code == .storeChanged)
            await pool.close()
        }
    }
}
