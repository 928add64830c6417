import Concurrency
import PipelineTesting
import Glibc
import PipelineCore
import SQLite
import Testing

struct SQLiteFailureTests {
    let folder = TemporaryFolder()

    private func failure(
        _ body: () async throws -> Void, location: SourceLocation = #_sourceLocation
    ) async -> PipelineError? {
        await #expect(throws: PipelineError.self, sourceLocation: location) { try await body() }
    }

    @Test func `A folder that cannot be made says which`() async {
        write("text", to: folder.file("plain"))
        let error = await failure {
            try await SQLiteDatabase(path: folder.file("plain/a.sqlite")).write { _ in }
        }
        #expect(error?.disposition == .fatal)
        #expect(error?.code == "store-not-writable")
        #expect(error?.message.contains(folder.file("plain")) == true)
    }

    @Test func `A file that is no database is refused`() async {
        write(String(repeating: "not a database ", count: 100), to: folder.file("a"))
        let error = await failure { try await SQLiteDatabase(path: folder.file("a")).probe() }
        #expect(error?.code == "not-a-database")
        #expect(error?.disposition == .fatal)
    }

    @Test func `A database of another program is refused and left as it is`() async throws {
        let path = folder.file("a.sqlite")
        let database = SQLiteDatabase(path: path)
        try await database.write {
            try $0.execute("CREATE TABLE t(a); PRAGMA application_id=7")
        }
        await database.close()
        let error = await failure { try await SQLiteDatabase(path: path).probe() }
        #expect(error?.code == "foreign-database")
    }

    @Test func `A damaged file is fatal, with a hint`() async throws {
        let path = folder.file("a.sqlite")
        let database = SQLiteDatabase(path: path)
        try await database.write { connection in
            try connection.execute("CREATE TABLE t(a)")
            for row in 0..<2000 { try connection.run("INSERT INTO t VALUES(?1)", row) }
        }
        await database.close()
        overwrite(path, at: 4096, count: 8192)
        let error = await failure {
            try await SQLiteDatabase(path: path).read {
                try $0.forEach("SELECT a FROM t") { _ in }
            }
        }
        #expect(error?.code == "store-corrupt")
        #expect(error?.message.contains(".recover") == true)
    }

    @Test func `Another writer's lock is worth another try`() async throws {
        let path = folder.file("a.sqlite")
        let holder = SQLiteDatabase(path: path)
        let database = SQLiteDatabase(
            path: path, worker: { InlineWorker() }, busyTimeout: .milliseconds(1))
        try await database.write { try $0.execute("CREATE TABLE t(a)") }
        let error = await failure {
            try await holder.write { _ in try blocking { try await database.write { _ in } } }
        }
        #expect(error?.code == "store-busy")
        #expect(error?.disposition == .retryable)
        try await database.write { _ in }
    }

    @Test func `Those who write a file from one process stand in line for its lock`()
        async throws
    {
        let path = folder.file("a.sqlite")
        let writers = SQLiteWriters()
        // Each by itself would give up after a millisecond.
        let databases = (0..<40).map { _ in
            SQLiteDatabase(path: path, busyTimeout: .milliseconds(1), among: writers)
        }
        try await databases[0].write { try $0.execute("CREATE TABLE t(a)") }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for database in databases {
                group.addTask {
                    for number in 0..<5 {
                        try await database.write {
                            _ = try $0.run("INSERT INTO t VALUES(?1)", number)
                        }
                    }
                    await database.close()
                }
            }
            try await group.waitForAll()
        }
        let count = try await databases[0].read {
            try $0.first("SELECT count(*) FROM t") { $0.int(0) }
        }
        #expect(count == 200)
        await databases[0].close()
    }

    @Test func `Whoever looks at a file waits for its lock`() async throws {
        let path = folder.file("a.sqlite")
        let holder = SQLiteDatabase(path: path)
        try await holder.write { try $0.execute("CREATE TABLE t(a)") }
        let looking = SQLiteDatabase(path: path, busyTimeout: .seconds(60))
        let (holds, hasLooked) = (AsyncEvent(), AsyncEvent())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await holds.wait()
                _ = try await looking.inspect { connection in
                    _ = try connection?.first("SELECT count(*) FROM t") { $0.int(0) }
                    return []
                }
                hasLooked.set()
            }
            try await holder.write { connection in
                // From the next look at it on, nobody else may even read.
                try connection.execute("PRAGMA main.locking_mode=EXCLUSIVE")
                try connection.execute("INSERT INTO t VALUES(1)")
            }
            holds.set()
            for _ in 0..<200 { await Task.yield() }
            await holder.close()
            try await group.waitForAll()
        }
        #expect(hasLooked.isSet)
    }

    @Test func `A full disk is worth another try and leaves nothing half done`() async throws {
        let database = SQLiteDatabase(path: folder.file("a.sqlite"))
        try await database.write { try $0.execute("CREATE TABLE t(a); PRAGMA max_page_count=20") }
        let error = await failure {
            try await database.write { connection in
                for _ in 0..<100 {
                    try connection.run(
                        "INSERT INTO t VALUES(?1)", [UInt8](repeating: 1, count: 4096))
                }
            }
        }
        #expect(error?.code == "store-full")
        #expect(error?.disposition == .retryable)
        let count = try await database.read { try $0.first("SELECT count(*) FROM t") { $0.int(0) } }
        #expect(count == 0)
    }

    @Test func `A missing table names the migration`() async {
        let error = await failure {
            try await SQLiteDatabase.inMemory().read {
                _ = try $0.first("SELECT 1 FROM t") { _ in }
            }
        }
        #expect(error?.code == "store-schema")
    }

    @Test func `A probe creates nothing`() async throws {
        try await SQLiteDatabase(path: folder.file("sub/a.sqlite")).probe()
        #expect(size(of: folder.file("sub")) == -1)
        write("text", to: folder.file("plain"))
        let error = await failure {
            try await SQLiteDatabase(path: folder.file("plain/a.sqlite")).probe()
        }
        #expect(error?.code == "store-not-writable")
    }

    @Test func `A file of a later version is refused`() async throws {
        let path = folder.file("a.sqlite")
        let (first, second) = ("CREATE TABLE a(x)", "CREATE TABLE b(x)")
        let database = SQLiteDatabase(path: path)
        try await database.migrate(SQLiteMigration(component: "c", steps: [first]))
        try await database.migrate(SQLiteMigration(component: "c", steps: [first, second]))
        try await database.migrate(SQLiteMigration(component: "c", steps: [first, second]))
        let error = await failure {
            try await database.migrate(SQLiteMigration(component: "c", steps: [first]))
        }
        #expect(error?.code == "schema-newer")
    }
}

private func write(_ text: String, to path: String) {
    let file = unsafe fopen(path, "w")!
    unsafe fputs(text, file)
    unsafe fclose(file)
}

private func overwrite(_ path: String, at offset: Int, count: Int) {
    let file = unsafe fopen(path, "r+")!
    unsafe fseek(file, offset, SEEK_SET)
    for _ in 0..<count { unsafe fputc(0xA5, file) }
    unsafe fclose(file)
}
