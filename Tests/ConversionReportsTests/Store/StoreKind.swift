import ConversionReports
import Glibc
import PipelineCore
import Postgres
import SQLite
import Testing

/// Every store that keeps events: what holds for one must hold for all.
enum StoreKind: String, CaseIterable, CustomTestStringConvertible {
    case postgres, sqlite

    var testDescription: String { rawValue }

    /// Runs `body` with a fresh, migrated store, which is gone afterwards.
    func withStore(
        location: SourceLocation = #_sourceLocation,
        _ body: (any ReportStore) async throws -> Void
    ) async throws {
        switch self {
        case .postgres:
            try await TestDatabase.with(location: location) { database in
                try await database.withStore(body)
            }
        case .sqlite:
            let folder = TemporaryFolder()
            let database = SQLiteDatabase(path: folder.file("reports.sqlite"))
            let store = SQLiteReportStore(database, clock: .system)
            try await store.migrate()
            try await body(store)
            await database.close()
        }
    }
}

/// A PostgreSQL database of its own for one test.
struct TestDatabase {
    let address: ResourceAddress

    static func with(
        location: SourceLocation = #_sourceLocation,
        _ body: (TestDatabase) async throws -> Void
    ) async throws {
        let url = try #require(
            unsafe getenv("PENSTOCK_TEST_POSTGRES").map { unsafe String(cString: $0) },
            "set PENSTOCK_TEST_POSTGRES (deploy/test-servers start DIR postgres)",
            sourceLocation: location)
        let name = "reports_\(RandomSource().next())"
        let server = try #require(ResourceAddress(url: url))
        let administration = try PostgresPool(server, options: .init(connections: 1))
        try await administration.withConnection {
            try $0.run("CREATE DATABASE \(identifier: name)")
        }
        let address = ResourceAddress(url: url, properties: ["dbname": name])!
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(TestDatabase(address: address)))
        } catch {
            result = .failure(error)
        }
        try await administration.withConnection {
            try $0.run("DROP DATABASE \(identifier: name) WITH (FORCE)")
        }
        await administration.close()
        try result.get()
    }

    func pool() throws -> PostgresPool { try PostgresPool(address) }

    func withStore(_ body: (PostgresReportStore) async throws -> Void) async throws {
        let pool = try pool()
        let store = PostgresReportStore(pool: pool)
        try await store.migrate()
        try await body(store)
        await store.close()
        await pool.close()
    }
}

/// A folder of a test's own, removed with its files when the value goes.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        var template = Array("/tmp/penstock-reports-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { buffer in
            unsafe String(cString: mkdtemp(buffer.baseAddress!))
        }
    }

    deinit {
        for name in ["reports.sqlite", "reports.sqlite-wal", "reports.sqlite-shm"] {
            unsafe unlink(file(name))
        }
        unsafe rmdir(path)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}
