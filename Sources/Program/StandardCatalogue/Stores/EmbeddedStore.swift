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
    private let events: SQLiteReportStore
    var reports: any ReportStore { events }
    private let isRunning: Bool
    private let lock = Mutex<SQLiteRunLock?>(nil)

    init(_ address: ResourceAddress, context: ResourceContext) {
        database = SQLiteDatabase(path: address.rest)
        bus = EmbeddedBus(database: database, clock: context.clock)
        ledgers = SQLiteLedgerProvider(
            database: database, clock: context.clock, random: context.random,
            isExclusive: context.isRunning)
        events = SQLiteReportStore(database, clock: context.clock)
        isRunning = context.isRunning
    }

    var migratesItself: Bool { true }
    var isThere: Bool { database.exists }

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
        return try await ledgers.rename(old, to: new) + events.rename(old, to: new)
            + bus.rename(old, to: new)
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

extension EmbeddedStore: LogInspection, PositionInspection {
    func contradiction(
        in topic: String, timeout: Duration,
        to stored: @Sendable (LogName) async throws -> StoredPositions?
    ) async throws -> LogContradiction? {
        let log = try await looking { try EmbeddedBus.logName(of: topic, $0) }
        guard let log, let positions = try await stored(log) else { return nil }
        return try await looking {
            try EmbeddedBus.contradiction(in: topic, to: positions, $0)
        }
    }

    func storedPositions(
        of log: LogName, pipeline: String, timeout: Duration
    ) async throws -> StoredPositions? {
        try await looking { connection in
            try SQLiteLedgerProvider.storedPositions(of: log, pipeline: pipeline, connection)
                ?? SQLiteReportStore.storedPositions(of: log, pipeline: pipeline, connection)
        }
    }

    /// What `body` makes of a connection that can't write; `nil` without a file, or one that can't
    /// be looked at.
    private func looking<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result?
    ) async throws -> Result? {
        let found = Mutex<Result?>(nil)
        _ = try await database.inspect { connection in
            if let connection {
                let result = try body(connection)
                found.withLock { $0 = result }
            }
            return []
        }
        return found.withLock { $0 }
    }
}
