public import Ledger
public import PipelineCore
public import SQLite

/// Keeps ledgers in a SQLite file.
///
/// The store's clock is the injected one: one process runs pipelines on a file at a time.
public struct SQLiteLedgerProvider: LedgerProvider {
    let database: SQLiteDatabase
    let clock: PipelineClock
    let random: RandomSource
    let isExclusive: Bool

    /// - Parameters:
    ///   - random: names the outcomes of cases that end without being generated.
    ///   - isExclusive: whether this process runs everything that is run on the file.
    public init(
        database: SQLiteDatabase, clock: PipelineClock, random: RandomSource = RandomSource(),
        isExclusive: Bool = false
    ) {
        self.isExclusive = isExclusive
        self.database = database
        self.clock = clock
        self.random = random
    }

    public func ledger(for stage: LedgerStage) -> any Ledger {
        SQLiteLedger(
            stage, database: database, clock: clock, random: random, isExclusive: isExclusive)
    }

    public func deadLetters(of pipeline: String) -> any DeadLetterStore {
        SQLiteDeadLetters(database: database, pipeline: pipeline, clock: clock)
    }

    public func migrateLedger() async throws {
        try await database.migrate(LedgerSchema.migration)
    }

    public func probe() async throws { try await database.probe() }

    public func close() async { await database.close() }
}

extension SQLiteLedgerProvider {
    /// Looks at the tables' version, and at what rules are in force. Only reads.
    ///
    /// - Parameter connection: `nil` for a file that is not there yet.
    public static func findings(
        on needs: [LedgerNeed], _ connection: SQLiteConnection?
    ) throws -> [ResourceFinding] {
        guard let connection, try connection.hasTable("ledger_stages") else {
            return needs.map { $0.finding(stored: nil) }
        }
        let tables = try connection.finding("ledger", of: LedgerSchema.migration)
        guard tables.verdict == .ok else { return [tables] }
        let states =
            needs.allSatisfy(\.owners.isEmpty) ? [] : try SQLiteStateTables(connection).states()
        return try needs.flatMap { need in
            let stored = try connection.first(
                "SELECT rule, revision FROM ledger_stages WHERE pipeline = ?1 AND stage = ?2",
                need.pipeline, need.stage
            ) { (ruleText: $0.text(0), revision: $0.int64(1)) }
            return [need.finding(stored: stored)] + need.findings(stored: states)
        }
    }
}

extension SQLiteLedgerProvider {
    /// Where a pipeline goes on in a log; `nil` without positions. Only reads.
    public static func storedPositions(
        of log: LogName, pipeline: String, _ connection: SQLiteConnection
    ) throws -> StoredPositions? {
        try SQLiteLedger.table.find(
            log, in: connection,
            where: "stage_no IN (SELECT stage_no FROM ledger_stages WHERE pipeline = ?3)",
            owner: pipeline)
    }
}
