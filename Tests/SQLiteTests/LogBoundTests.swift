import PipelineCore
import SQLite
import Testing

struct LogBoundTests {
    let folder = TemporaryFolder()
    private let limit = 1 << 20

    @Test func `The log is emptied beyond its limit, once readers let it`() async throws {
        let path = folder.file("a.sqlite")
        let database = SQLiteDatabase(
            path: path, worker: { InlineWorker() }, busyTimeout: .milliseconds(1),
            logLimit: limit)
        try await database.write { try $0.execute("CREATE TABLE t(a BLOB)") }
        let insert: @Sendable () async throws -> Void = {
            let bytes = [UInt8](repeating: 7, count: 100_000)
            try await database.write { _ = try $0.run("INSERT INTO t VALUES(?1)", bytes) }
        }
        try await SQLiteDatabase(path: path).read { connection in
            _ = try connection.first("SELECT count(*) FROM t") { $0.int(0) }
            for _ in 0..<50 { try blocking(insert) }
        }
        #expect(size(of: path + "-wal") > limit, "a reader holds the log")
        for _ in 0..<50 { try await insert() }
        #expect(size(of: path + "-wal") <= limit + 200_000)
    }
}
