import PipelineTesting
import Glibc
import PipelineCore
import Testing

@testable import SQLite

@Suite("Looking at a SQLite file", .timeLimit(.minutes(1)))
struct SQLiteInspectionTests {
    private let folder = TemporaryFolder()
    private let topics = [
        TopicNeed("t", .reads, creation: .never),
        TopicNeed("u", .writes, creation: .atStart(partitions: 2)),
    ]

    private func findings(_ database: SQLiteDatabase) async throws -> [ResourceFinding] {
        let topics = topics
        return try await database.inspect { try EmbeddedBus.findings(on: topics, $0) }
    }

    private func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    @Test("makes no file, and no folder, where there is none")
    func absent() async throws {
        let path = folder.file("data/new.sqlite")
        let found = try await findings(SQLiteDatabase(path: path))
        #expect(found[0] == ResourceFinding(.ok, "will be created"))
        #expect(found[1].verdict == .wrong)
        #expect(found[2].detail == "not there: `run` creates it with 2 partitions")
        #expect(!exists(folder.file("data")))
    }

    @Test("tells of a disk with little room, and refuses one without")
    func disk() {
        #expect(SQLiteDatabase.findings(freeBytes: nil).isEmpty)
        #expect(SQLiteDatabase.findings(freeBytes: 1 << 30).isEmpty)
        let little = SQLiteDatabase.findings(freeBytes: 500 << 20)
        #expect(little.map(\.verdict) == [.ok])
        #expect(little.first?.hint?.hasPrefix("below 1 GiB") == true)
        let none = SQLiteDatabase.findings(freeBytes: 63 << 20)
        #expect(none.map(\.verdict) == [.wrong])
        #expect(none.first?.detail == "63 MiB are free, the log alone takes up to 64")
        // Of the disk that the folder will be on.
        for path in [folder.file("a/b/c.sqlite"), "a.sqlite", "/a.sqlite"] {
            #expect((DatabaseFile(path: path).freeBytes ?? 0) > 0)
        }
    }

    @Test("says where no file can be made")
    func impossible() async throws {
        let database = SQLiteDatabase(path: "/proc/self/nowhere/file.sqlite")
        let error = try await #require(throws: PipelineError.self) {
            try await findings(database)
        }
        #expect(error.code == "store-not-writable")
    }

    @Test("reads a file that nobody uses, and leaves nothing beside it")
    func atRest() async throws {
        let path = folder.file("bus.sqlite")
        let database = SQLiteDatabase(path: path)
        let bus = EmbeddedBus(database: database, clock: .system)
        try await bus.ensureTopic("t", partitions: 3)
        await database.close()
        let found = try await findings(SQLiteDatabase(path: path))
        #expect(found[0].detail.hasPrefix("is there, "))
        #expect(found[1].detail == "3 partitions")
        for suffix in ["-wal", "-shm", ".lock"] { #expect(!exists(path + suffix)) }
    }

    @Test("reads a file that is in use, with what is still in its log")
    func inUse() async throws {
        let path = folder.file("bus.sqlite")
        let database = SQLiteDatabase(path: path)
        try await EmbeddedBus(database: database, clock: .system).ensureTopic("t", partitions: 3)
        #expect(try await findings(SQLiteDatabase(path: path))[1].detail == "3 partitions")
        await database.close()
    }

    @Test("names who runs on the file, and does not stand in the way of a run")
    func lock() async throws {
        let path = folder.file("bus.sqlite")
        let database = SQLiteDatabase(path: path)
        try await EmbeddedBus(database: database, clock: .system).ensureTopic("t", partitions: 1)
        do {
            let held = try database.acquireRunLock(command: "penstock run")
            let found = try await findings(SQLiteDatabase(path: path))
            #expect(found[1].subject == "run lock")
            #expect(found[1].verdict == .wrong)
            #expect(found[1].detail == "is held by process \(getpid()) (penstock run)")
            withExtendedLifetime(held) {}
        }
        let later = try await findings(SQLiteDatabase(path: path))
        #expect(!later.contains { $0.subject == "run lock" })
        #expect(try database.acquireRunLock(command: "penstock run") != nil)
        await database.close()
    }

    @Test(
        "changes nothing of what a killed process has left, and reads it if it can",
        arguments: [["", "-wal"], ["", "-wal", "-shm"]])
    func leftLog(_ files: [String]) async throws {
        let path = folder.file("bus.sqlite")
        let database = SQLiteDatabase(path: path)
        try await EmbeddedBus(database: database, clock: .system).ensureTopic("t", partitions: 1)
        let copy = folder.file("copy.sqlite")
        for suffix in files { try copyFile(path + suffix, copy + suffix) }
        await database.close()
        let found = try await findings(SQLiteDatabase(path: copy))
        let isReadable = files.contains("-shm")
        #expect(found[1].verdict == (isReadable ? .ok : .unknown))
        #expect(!isReadable || found[1].detail == "1 partition")
        for suffix in ["", "-wal", "-shm"] {
            #expect(exists(copy + suffix) == files.contains(suffix))
        }
    }

    @Test("refuses the file of another program")
    func foreign() async throws {
        let path = folder.file("other.sqlite")
        do {
            let other = try SQLiteConnection(path: path)
            try other.execute("CREATE TABLE t(x)")
        }
        let error = try await #require(throws: PipelineError.self) {
            try await findings(SQLiteDatabase(path: path))
        }
        #expect(error.code == "foreign-database")
    }

    private func copyFile(_ from: String, _ to: String) throws {
        let source = unsafe open(from, O_RDONLY)
        let target = unsafe open(to, O_WRONLY | O_CREAT, 0o600)
        try #require(source >= 0 && target >= 0)
        defer {
            close(source)
            close(target)
        }
        while sendfile(target, source, nil, 1 << 20) > 0 {}
    }
}
