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

    @Test func `Who holds the lock does not keep others from writing`() async throws {
        let path = folder.file("a.sqlite")
        let lock = try SQLiteDatabase(path: path).acquireRunLock(command: "run")
        try await SQLiteDatabase(path: path).write { try $0.execute("CREATE TABLE t(a)") }
        withExtendedLifetime(lock) {}
    }

    @Test func `Memory needs no lock`() throws {
        #expect(try SQLiteDatabase.inMemory().acquireRunLock(command: "run") == nil)
    }
}
