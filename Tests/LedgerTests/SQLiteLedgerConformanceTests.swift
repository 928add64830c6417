import Glibc
import Ledger
import PipelineCore
import PipelineTesting
import SQLite
import SQLiteLedger
import Testing

@Suite(.timeLimit(.minutes(2)))
struct SQLiteLedgerConformanceTests {
    @Test(arguments: LedgerConformance.checks)
    func `In memory,`(_ check: LedgerConformance.Check) async throws {
        try await run(check, on: .inMemory())
    }

    @Test(arguments: LedgerConformance.checks)
    func `In a file,`(_ check: LedgerConformance.Check) async throws {
        let path = "/tmp/penstock-ledger-\(getpid())-\(RandomSource().uuid()).sqlite"
        defer { for end in ["", "-wal", "-shm"] { unsafe unlink(path + end) } }
        let database = SQLiteDatabase(path: path)
        try await run(check, on: database)
        await database.close()
    }

    private func run(_ check: LedgerConformance.Check, on database: SQLiteDatabase) async throws {
        let provider = SQLiteLedgerProvider(database: database, clock: .system)
        try await provider.migrateLedger()
        try await check.run(LedgerConformance { provider.ledger(for: $0) })
    }
}
