import PipelineCore
import SQLite
import Testing

struct LogBoundTests {
    let folder = TemporaryFolder()
    private let limit = 1 << 20

    private func database(_ path: String) async throws -> SQLiteDatabase {
        let database = SQLiteDatabase(
            path: path, worker: { InlineWorker() }, busyTimeout: .milliseconds(1),
            logLimit: limit)
        try await database.write { connection in
            try connection.execute("CREATE TABLE t(a BLOB)")
            // As if there were always a reader in the way of SQLite's own.
            try connection.execute("PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=-1")
        }
        return database
    }

    private func insert(into database: SQLiteDatabase) async throws {
        let bytes = [UInt8](repeating: 7, count: 100_000)
        try await database.write { _ = try $0.run("INSERT INTO t VALUES(?1)", bytes) }
    }

    @Test func `The log is emptied beyond its limit`() async throws {
        let path = folder.file("a.sqlite")
        let database = try await database(path)
        for _ in 0..<100 { try await insert(into: database) }
        #expect(size(of: path + "-wal") <= limit + 200_000)
    }

    @Test func `A reader holds the log only while it reads`() async throws {
        let path = folder.file("a.sqlite")
        let database = try await database(path)
        try await SQLiteDatabase(path: path).read { connection in
            _ = try connection.first("SELECT count(*) FROM t") { $0.int(0) }
            for _ in 0..<50 { try blocking { try await insert(into: database) } }
        }
        #expect(size(of: path + "-wal") > 4 * limit)
        for _ in 0..<50 { try await insert(into: database) }
        #expect(size(of: path + "-wal") <= limit + 200_000)
    }
}
