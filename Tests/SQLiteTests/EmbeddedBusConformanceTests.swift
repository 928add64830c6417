import PipelineCore
import PipelineTesting
import SQLite
import Testing

@Suite(.timeLimit(.minutes(2)))
struct EmbeddedBusConformanceTests {
    let folder = TemporaryFolder()

    @Test(arguments: BusConformance.checks)
    func `In a file,`(_ check: BusConformance.Check) async throws {
        let path = folder.file("a.sqlite")
        try await check.run(
            BusConformance { EmbeddedBus(database: SQLiteDatabase(path: path), clock: .system) })
    }

    @Test(arguments: BusConformance.checks)
    func `In memory,`(_ check: BusConformance.Check) async throws {
        let database = SQLiteDatabase.inMemory()
        try await check.run(BusConformance { EmbeddedBus(database: database, clock: .system) })
    }
}
