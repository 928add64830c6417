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
