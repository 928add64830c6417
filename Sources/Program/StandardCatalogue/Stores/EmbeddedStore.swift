internal import ConversionReports
internal import Ledger
internal import PipelineCore
internal import SQLite
internal import SQLiteLedger
internal import Synchronization

/// One SQLite file as bus and store.
final class EmbeddedStore: StandardStore, Bus {
    private let database: SQLiteDatabase
    private let bus: EmbeddedBus
    private let ledgers: SQLiteLedgerProvider
    let reports: any ReportStore
    private let isRunning: Bool
    private let lock = Mutex<SQLiteRunLock?>(nil)

    init(_ address: ResourceAddress, context: ResourceContext) {
        database = SQLiteDatabase(path: address.rest)
        bus = EmbeddedBus(database: database, clock: context.clock)
        ledgers = SQLiteLedgerProvider(
            database: database, clock: context.clock, random: context.random,
            isExclusive: context.isRunning)
        reports = SQLiteReportStore(database, clock: context.clock)
        isRunning = context.isRunning
    }

    var migratesItself: Bool { true }

    /// Takes the right to run on the file, too, if this process runs pipelines.
    func migrate() async throws {
        if isRunning { try claim("penstock run") }
        try await ledgers.migrateLedger()
        try await reports.migrate()
    }

    /// Held until the store is closed.
    private func claim(_ command: String) throws {
        try lock.withLock { held in
            if held == nil { held = try database.acquireRunLock(command: command) }
        }
    }

    /// While nobody runs anything on the file.
    func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try claim("penstock migrate")
        return try await ledgers.rename(old, to: new) + bus.rename(old, to: new)
    }

    func abandon(
        _ name: StateName, reason: String, isTrial: Bool
    ) async throws -> [String] {
        if !isTrial { try claim("penstock migrate") }
        return try await ledgers.abandon(name, reason: reason, isTrial: isTrial)
    }

    func enter(_ stage: LedgerNeed) async throws { try await ledgers.enter(stage) }
    func migrateLedger() async throws { try await ledgers.migrateLedger() }
    func deadLetters(of pipeline: String) -> any DeadLetterStore {
        ledgers.deadLetters(of: pipeline)
    }
    func ledger(for stage: LedgerStage) throws -> any Ledger { ledgers.ledger(for: stage) }

    func ensureTopic(_ name: String, partitions: Int?) async throws {
        try await bus.ensureTopic(name, partitions: partitions)
    }
    func consumer(
        _ subscription: Subscription, positions: (any PositionStore)?
    ) async throws -> any BusConsumer {
        try await bus.consumer(subscription, positions: positions)
    }
    func producer() async throws -> any BusProducer { try await bus.producer() }

    func probe() async throws { try await database.probe() }

    func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        try await database.inspect { connection in
            try EmbeddedBus.findings(on: needs.topics, connection)
                + SQLiteLedgerProvider.findings(on: needs.ledgers, connection)
                + (needs.includeReports ? SQLiteReportStore.findings(connection) : [])
        }
    }
    func close() async {
        await database.close()
        lock.withLock { $0 = nil }
    }
}
