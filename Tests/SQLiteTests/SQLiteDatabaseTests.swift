import Glibc
import Metrics
import PipelineCore
import PipelineTesting
import SQLite
import Testing

struct SQLiteDatabaseTests {
    let folder = TemporaryFolder()

    private func table(_ path: String = ":memory:") async throws -> SQLiteDatabase {
        let database = SQLiteDatabase(path: path, busyTimeout: .milliseconds(50))
        try await database.write { try $0.execute("CREATE TABLE t(a, b)") }
        return database
    }

    @Test func `Transactions are counted, those that fail as well`() async throws {
        let metrics = MetricRegistry()
        let path = folder.file("counted.sqlite")
        func count(_ operation: String, _ count: Int) -> Bool {
            metrics.exposition().contains(
                "db_client_operation_duration_seconds_count{db_operation_name=\"\(operation)\","
                    + "db_system_name=\"sqlite\",server_address=\"\(path)\"} \(count)\n")
        }
        let database = SQLiteDatabase(path: path, metrics: metrics)
        #expect(count("read", 0) && count("write", 0))
        try await database.write { try $0.execute("CREATE TABLE t(a, b)") }
        await #expect(throws: PipelineError.self) {
            try await database.write { try $0.execute("CREATE TABLE t(a, b)") }
        }
        _ = try await database.read { try $0.first("SELECT count(*) FROM t") { $0.int(0) } }
        #expect(count("read", 1) && count("write", 2))
        await database.close()
    }

    @Test(arguments: [false, true])
    func `A file that goes away while it is in use is an error that says so`(_ isReplaced: Bool)
        async throws
    {
        let path = folder.file("gone.sqlite")
        let database = try await table(path)
        #expect(
            try await database.read { try $0.first("SELECT count(*) FROM t") { $0.int(0) } } == 0)
        unsafe rename(path, "\(path).away")
        if isReplaced { _ = try await table(path) }
        for use in [
            { try await database.write { _ = try $0.run("INSERT INTO t VALUES(1, 2)") } },
            {
                try await database.read { _ = try $0.first("SELECT count(*) FROM t") { $0.int(0) } }
            },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: PipelineError.self) { try await use() }
            #expect(error?.code == "store-replaced")
            #expect(error?.disposition == .fatal)
            #expect(error?.message.contains(isReplaced ? "replaced" : "deleted") == true)
        }
        // Brought back, it is the same file; but another one in its place has taken its log by the
        // same name.
        if isReplaced { return }
        unsafe rename("\(path).away", path)
        try await database.write { _ = try $0.run("INSERT INTO t VALUES(1, 2)") }
    }

    @Test func `Every kind of value comes back as it went in`() async throws {
        let database = try await table()
        let id = UUID(high: 0x0102_0304_0506_0708, low: 0xFFFE_FDFC_FBFA_F9F8)
        let digest = Digest(high: 7, low: .max)
        let bytes: Bytes = [9, 0, 255, 1, 2][1..<4]
        try await database.write { connection in
            let insert = try connection.statement("INSERT INTO t VALUES(?1, ?2)")
            try insert.run(Int64.min, -0.5)
            try insert.run("ä€", bytes)
            try insert.run(id, digest)
            try insert.run(Timestamp(microseconds: -1), String?.none)
            try insert.run("", [UInt8]())
        }
        try await database.read { connection in
            var row = 0
            try connection.forEach("SELECT a, b, typeof(a), typeof(b) FROM t ORDER BY rowid") {
                switch row {
                case 0: #expect($0.int64(0) == .min && $0.double(1) == -0.5)
                case 1: #expect($0.text(0) == "ä€" && $0.blob(1) == [0, 255, 1])
                case 2: #expect($0.uuid(0) == id && $0.digest(1) == digest)
                case 3: #expect($0.timestamp(0)?.microseconds == -1 && $0.isNull(1))
                default: #expect($0.text(2) == "text" && $0.text(3) == "blob")
                }
                row += 1
            }
            #expect(row == 5)
        }
    }

    @Test func `A blob larger than the statement's buffer is stored whole`() async throws {
        let database = try await table()
        let large = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await database.write { _ = try $0.run("INSERT INTO t VALUES(?1, ?2)", large, "x") }
        let stored = try await database.read { connection in
            try connection.first("SELECT a, b FROM t") { ($0.blob(0), $0.text(1)) }
        }
        #expect(stored?.0 == large[...])
        #expect(stored?.1 == "x")
    }

    @Test func `A transaction whose body throws changes nothing`() async throws {
        let database = try await table(folder.file("a.sqlite"))
        await #expect(throws: CancellationError.self) {
            try await database.write { connection in
                try connection.run("INSERT INTO t VALUES(1, 2)")
                throw CancellationError()
            }
        }
        let count = try await database.read { try $0.first("SELECT count(*) FROM t") { $0.int(0) } }
        #expect(count == 0)
    }

    @Test func `What was written is there when the file is opened again`() async throws {
        let path = folder.file("a.sqlite")
        let database = try await table(path)
        try await database.write { _ = try $0.run("INSERT INTO t VALUES(1, 2)") }
        await database.close()
        #expect(size(of: path + "-wal") == -1, "closing leaves no log behind")
        let again = SQLiteDatabase(path: path)
        let count = try await again.read { try $0.first("SELECT count(*) FROM t") { $0.int(0) } }
        #expect(count == 1)
    }

    @Test func `A closed database opens again by itself`() async throws {
        let database = try await table(folder.file("a.sqlite"))
        await database.close()
        try await database.write { _ = try $0.run("INSERT INTO t VALUES(1, 2)") }
        try await database.probe()
    }

    @Test func `The file and its folder are made for their owner alone`() async throws {
        let path = folder.file("new/deep/a.sqlite")
        let database = try await table(path)
        #expect(mode(of: path) == 0o600)
        #expect(mode(of: path + "-wal") == 0o600)
        #expect(mode(of: folder.file("new")) & 0o007 == 0)
        await database.close()
    }

    @Test func `A reader sees its snapshot while a writer goes on`() async throws {
        let database = try await table(folder.file("a.sqlite"))
        let other = SQLiteDatabase(path: folder.file("a.sqlite"), worker: { InlineWorker() })
        let counts = try await database.read { connection in
            let count = try connection.statement("SELECT count(*) FROM t")
            let before = try count.first { $0.int(0) }
            try blocking { try await other.write { _ = try $0.run("INSERT INTO t VALUES(1, 2)") } }
            return [before, try count.first { $0.int(0) }]
        }
        #expect(counts == [0, 0])
        let after = try await database.read { try $0.first("SELECT count(*) FROM t") { $0.int(0) } }
        #expect(after == 1)
    }

    @Test func `Commits wait for the disk`() async throws {
        let database = SQLiteDatabase(path: folder.file("a.sqlite"))
        let settings = try await database.write { connection in
            (
                try connection.first("PRAGMA journal_mode") { $0.text(0) },
                try connection.first("PRAGMA synchronous") { $0.int(0) }
            )
        }
        #expect(settings.0 == "wal")
        #expect(
            settings.1 == 2, "FULL, as in https://www.sqlite.org/pragma.html#pragma_synchronous")
    }

    @Test func `The reading connection cannot write`() async throws {
        let database = try await table(folder.file("a.sqlite"))
        let error = await #expect(throws: PipelineError.self) {
            try await database.read { _ = try $0.run("INSERT INTO t VALUES(1, 2)") }
        }
        #expect(error?.code == "store-not-writable")
    }
}

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
