internal import Calendar
internal import ConversionReports
internal import Ledger
internal import PipelineCore
internal import Postgres
internal import PostgresLedger

/// A PostgreSQL database with ledgers, events and reports, shared by any number of processes.
final class PostgresStore: StandardStore {
    private let pool: PostgresPool
    private let ledgers: PostgresLedgerProvider
    private let events: PostgresReportStore
    var reports: any ReportStore { events }

    init(
        _ address: ResourceAddress, among directory: PostgresPlaces, log: PostgresLog? = nil
    ) throws {
        pool = try PostgresPool(
            address, options: PostgresPool.Options(log: log), among: directory)
        ledgers = PostgresLedgerProvider(pool: pool)
        events = PostgresReportStore(pool: pool)
    }

    var migratesItself: Bool { false }
    var isThere: Bool { true }

    func migrate() async throws {
        try await ledgers.migrateLedger()
        try await reports.migrate()
    }

    func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await ledgers.rename(old, to: new) + events.rename(old, to: new)
    }

    func abandon(
        _ name: StateName, reason: String, isTrial: Bool
    ) async throws -> [String] {
        try await ledgers.abandon(name, reason: reason, isTrial: isTrial)
    }

    func enter(_ stage: LedgerNeed) async throws { try await ledgers.enter(stage) }
    func migrateLedger() async throws { try await ledgers.migrateLedger() }
    func deadLetters(of pipeline: String) -> any DeadLetterStore {
        ledgers.deadLetters(of: pipeline)
    }
    func ledger(for stage: LedgerStage) throws -> any Ledger { try ledgers.ledger(for: stage) }
    func probe() async throws { try await ledgers.probe() }

    func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        try await pool.inspect(timeout: timeout) { connection in
            try PostgresLedgerProvider.findings(on: needs.ledgers, connection)
                + (needs.includeReports
                    ? PostgresReportStore.findings(
                        connection, storing: needs.contains(.writing),
                        reading: needs.contains { $0.isGeneration }) : [])
        }
    }

    func close() async {
        await reports.close()
        await pool.close()
    }
}

extension PostgresStore: PositionInspection {
    func storedPositions(
        of log: LogName, pipeline: String, timeout: Duration
    ) async throws -> StoredPositions? {
        try await pool.withTransaction("BEGIN READ ONLY") { connection in
            try connection.run("SET LOCAL statement_timeout = \(timeout.wholeMilliseconds)")
            return try PostgresLedgerProvider.storedPositions(
                of: log, pipeline: pipeline, connection)
                ?? PostgresReportStore.storedPositions(of: log, pipeline: pipeline, connection)
        }
    }
}
