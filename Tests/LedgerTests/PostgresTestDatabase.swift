import Glibc
import PipelineCore
import Postgres
import PostgresLedger
import Testing

/// A database of its own for one test, dropped afterwards.
struct PostgresTestDatabase {
    let address: ResourceAddress
    let name: String

    static func with(
        _ body: (PostgresTestDatabase) async throws -> Void,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let url = try #require(
            unsafe getenv("PENSTOCK_TEST_POSTGRES").map { unsafe String(cString: $0) },
            "set PENSTOCK_TEST_POSTGRES (deploy/test-servers start DIR postgres)",
            sourceLocation: location)
        let name = "test_\(RandomSource().next())"
        let server = try #require(ResourceAddress(url: url))
        let administration = try PostgresPool(server, options: .init(connections: 1))
        try await administration.withConnection {
            try $0.run("CREATE DATABASE \(identifier: name)")
        }
        let address = ResourceAddress(url: url, properties: ["dbname": name])!
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(PostgresTestDatabase(address: address, name: name)))
        } catch {
            result = .failure(error)
        }
        try await administration.withConnection {
            try $0.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        }
        await administration.close()
        try result.get()
    }

    /// A database with the ledger's tables, used through a pooler in transaction mode.
    static func withLedgersBehindPooler(
        _ body: (PostgresLedgerProvider) async throws -> Void,
        location: SourceLocation = #_sourceLocation
    ) async throws {
        let url = try #require(
            unsafe getenv("PENSTOCK_TEST_PGBOUNCER").map { unsafe String(cString: $0) },
            "set PENSTOCK_TEST_PGBOUNCER (deploy/test-servers start DIR pgbouncer)",
            sourceLocation: location)
        try await with { database in
            let address = ResourceAddress(url: url, properties: ["dbname": database.name])!
            let provider = PostgresLedgerProvider(pool: try PostgresPool(address))
            try await provider.migrateLedger()
            try await body(provider)
            await provider.close()
        }
    }

    func pool(connections: Int = 4) throws -> PostgresPool {
        try PostgresPool(address, options: .init(connections: connections))
    }

    /// A database with the ledger's tables.
    static func withLedgers(
        _ body: (PostgresTestDatabase, PostgresLedgerProvider) async throws -> Void
    ) async throws {
        try await with { database in
            let provider = PostgresLedgerProvider(pool: try database.pool())
            try await provider.migrateLedger()
            try await body(database, provider)
            await provider.close()
        }
    }

    /// Ends one other session of the database, whatever it is doing.
    func terminateBackend(using pool: PostgresPool) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                """
                select pg_terminate_backend(pid), pg_sleep(random() * 0.03)
                from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                order by random() limit 1
                """)
        }
    }
}
