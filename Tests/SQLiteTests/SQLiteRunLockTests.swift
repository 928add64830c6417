import PipelineTesting
import Glibc
import PipelineCore
import SQLite
import Testing

struct SQLiteRunLockTests {
    let folder = TemporaryFolder()

    @Test func `A second run is refused, with the holder's name`() async throws {
        let path = folder.file("a.sqlite")
        var lock = try SQLiteDatabase(path: path).acquireRunLock(command: "run reports.json")
        let error = #expect(throws: PipelineError.self) {
            try SQLiteDatabase(path: path).acquireRunLock(command: "run other.json")
        }
        #expect(error?.code == "store-in-use")
        #expect(error?.disposition == .fatal)
        #expect(error?.message.contains("process \(getpid()) (run reports.json)") == true)
        _ = lock
        lock = nil
        lock = try SQLiteDatabase(path: path).acquireRunLock(command: "run other.json")
    }

    /// A descriptor of the test's own, whose lock is another process's as far as flock is
    /// concerned.
    private func lockedElsewhere(_ path: String) async throws -> Int32 {
        try await SQLiteDatabase(path: path).write { try $0.execute("CREATE TABLE t(a)") }
        let descriptor = unsafe open(path, O_RDONLY)
        try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        return descriptor
    }

    @Test func `A symbolic link, or another way to the file, is the same lock`() async throws {
        let path = folder.file("a.sqlite")
        let link = folder.file("link.sqlite")
        let around = folder.file("../\(folder.path.split(separator: "/").last!)/a.sqlite")
        var lock = try SQLiteDatabase(path: path).acquireRunLock(command: "run reports.json")
        unsafe symlink(path, link)
        for other in [link, around] {
            let error = #expect(throws: PipelineError.self) {
                try SQLiteDatabase(path: other).acquireRunLock(command: "run other.json")
            }
            #expect(error?.code == "store-in-use")
            #expect(error?.message.contains("process \(getpid()) (run reports.json)") == true)
        }
        _ = lock
        lock = nil
        lock = try SQLiteDatabase(path: link).acquireRunLock(command: "run other.json")
        #expect(throws: PipelineError.self) {
            try SQLiteDatabase(path: path).acquireRunLock(command: "run reports.json")
        }
    }

    @Test func `A lock of another process on the file itself is seen by any of its names`()
        async throws
    {
        let path = folder.file("a.sqlite")
        let other = try await lockedElsewhere(path)
        defer { close(other) }
        let name = folder.file("other.sqlite")
        unsafe link(path, name)
        for name in [path, name] {
            let error = #expect(throws: PipelineError.self) {
                try SQLiteDatabase(path: name).acquireRunLock(command: "run")
            }
            #expect(error?.code == "store-in-use")
            #expect(error?.message.contains("process \(getpid()) (") == true)
            let found = try await SQLiteDatabase(path: name).inspect { _ in [] }
            #expect(found.contains { $0.subject == "run lock" && $0.verdict == .wrong })
        }
    }

    @Test func `A file with two names is refused: each would have a log of its own`() async throws {
        let path = folder.file("a.sqlite")
        let name = folder.file("other.sqlite")
        try await SQLiteDatabase(path: path).write { try $0.execute("CREATE TABLE t(a)") }
        unsafe link(path, name)
        let error = #expect(throws: PipelineError.self) {
            try SQLiteDatabase(path: name).acquireRunLock(command: "run")
        }
        #expect(error?.code == "store-linked")
        unsafe unlink(name)
        #expect(try SQLiteDatabase(path: path).acquireRunLock(command: "run") != nil)
    }

    @Test func `Who holds the lock does not keep others from writing`() async throws {
        let path = folder.file("a.sqlite")
        let lock = try SQLiteDatabase(path: path).acquireRunLock(command: "run")
        try await SQLiteDatabase(path: path).write { try $0.execute("CREATE TABLE t(a)") }
        withExtendedLifetime(lock) {}
    }

    @Test func `Paths to the same file have a location in common, whether it is there or not`() {
        let name = folder.path.split(separator: "/").last!
        for isThere in [false, true] {
            if isThere { close(unsafe open(folder.file("a.sqlite"), O_CREAT | O_RDWR, 0o600)) }
            let location = SQLiteDatabase.location(of: folder.file("a.sqlite"))
            for path in ["./a.sqlite", "../\(name)/a.sqlite"] {
                #expect(SQLiteDatabase.location(of: folder.file(path)) == location)
            }
            #expect(SQLiteDatabase.location(of: folder.file("b.sqlite")) != location)
        }
        #expect(SQLiteDatabase.location(of: ":memory:") == ":memory:")
    }

    @Test func `Memory needs no lock`() throws {
        #expect(try SQLiteDatabase.inMemory().acquireRunLock(command: "run") == nil)
    }
}
