import Glibc
import Metrics
import PipelineCore
import Postgres
import Testing

/// A database of its own for one test, dropped afterwards.
struct TestDatabase {
    let address: ResourceAddress
    let name: String

    static func with(
        _ body: (TestDatabase) async throws -> Void, location: SourceLocation = #_sourceLocation
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
            result = .success(try await body(TestDatabase(address: address, name: name)))
        } catch {
            result = .failure(error)
        }
        try await administration.withConnection {
            try $0.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        }
        await administration.close()
        try result.get()
    }

    func pool(
        connections: Int = 4, settings: [String: String] = [:], grace: Duration = .seconds(5),
        metrics: MetricRegistry = MetricRegistry()
    ) throws -> PostgresPool {
        try PostgresPool(
            address,
            options: .init(
                connections: connections, settings: settings, cancellationGrace: grace,
                metrics: metrics))
    }

    /// Where the server is: `127.0.0.1:5432`.
    var hostAndPort: String {
        let authority = address.rest.prefix { $0 != "/" }
        return String(authority.split(separator: "@").last ?? "")
    }

    /// The same database by an address of several hosts.
    func hosts(_ hosts: String...) throws -> ResourceAddress {
        let user = address.rest.split(separator: "@")[0]
        let url = "postgres://\(user)@\(hosts.joined(separator: ","))/\(name)"
        return try #require(ResourceAddress(url: url))
    }

    /// The database through a pooler in transaction mode.
    static func throughPooler(
        _ body: (TestDatabase) async throws -> Void, location: SourceLocation = #_sourceLocation
    ) async throws {
        let url = try #require(
            unsafe getenv("PENSTOCK_TEST_PGBOUNCER").map { unsafe String(cString: $0) },
            "set PENSTOCK_TEST_PGBOUNCER (deploy/test-servers start DIR pgbouncer)",
            sourceLocation: location)
        try await with(
            { database in
                let address = ResourceAddress(url: url, properties: ["dbname": database.name])!
                try await body(TestDatabase(address: address, name: database.name))
            }, location: location)
    }

    /// Ends every other session of the database, as an administrator's shutdown does.
    func terminateBackends(using pool: PostgresPool) async throws {
        try await pool.withConnection { connection in
            _ = try connection.query(
                """
                select pg_terminate_backend(pid, 5000) from pg_stat_activity
                where datname = current_database() and pid <> pg_backend_pid()
                """)
        }
    }
}

/// The error that `body` throws; a failed test without one.
func failure(
    location: SourceLocation = #_sourceLocation, of body: () async throws -> Void
) async throws -> PipelineError {
    let error = await #expect(throws: PipelineError.self, sourceLocation: location) {
        try await body()
    }
    return try #require(error, sourceLocation: location)
}
