public import Ledger
public import PipelineCore
public import SQLite
internal import Synchronization

/// The ledger of one stage in a SQLite file.
///
/// Every method is one transaction that holds the file's write lock (`BEGIN IMMEDIATE`), which
/// makes evaluating the rule, sealing and claiming exclusive; reads use a snapshot beside it.
public final class SQLiteLedger: Ledger {
    let stage: LedgerStage
    let database: SQLiteDatabase
    let clock: PipelineClock
    let random: RandomSource
    private let isExclusive: Bool
    public let outcomesCommitted = Doorbell()
    private let registration = Mutex<Registration?>(nil)

    public init(
        _ stage: LedgerStage, database: SQLiteDatabase, clock: PipelineClock, random: RandomSource,
        isExclusive: Bool = false
    ) {
        self.isExclusive = isExclusive
        self.stage = stage
        self.database = database
        self.clock = clock
        self.random = random
    }

    @discardableResult
    public func register() async throws -> [StageState] {
        let (registered, elsewhere) = try await database.write {
            [stage, isExclusive] connection in
            let elsewhere = try connection.checkOwners(
                stage.owners, pipeline: stage.pipeline, stage: stage.stage,
                isExclusive: isExclusive)
            return (try Registration.register(stage, in: connection), elsewhere)
        }
        registration.withLock { $0 = registered }
        return elsewhere
    }

    /// The stage's row. One that nobody has registered is registered now; the rule of another stays
    /// as it is, so that a command beside a running process does not put it out of date.
    func registered() async throws -> Registration {
        if let known = registration.withLock({ $0 }) { return known }
        let stored = try await database.read { [stage] in
            try Registration.find(stage, in: $0)
        }
        if let stored {
            registration.withLock { $0 = stored }
            return stored
        }
        try await register()
        return try await registered()
    }

    static let table = PositionTable("ledger_positions", owner: ["stage_no"])

    public func positions(
        of log: LogName, initial: [Int32: Int64]
    ) async throws -> StoredPositions {
        let stage = try await registered().number
        return try await database.write {
            try Self.table.positions(of: log, initial: initial, in: $0, owner: stage)
        }
    }

    public func keep(_ witnesses: [Int32: LogWitness], of source: String) async throws {
        let stage = try await registered().number
        try await database.write {
            try Self.table.keep(witnesses, of: source, in: $0, owner: stage)
        }
    }

    public func restart(
        _ log: LogName, after source: String, at starts: [Int32: Int64]
    ) async throws {
        let stage = try await registered().number
        try await database.write {
            try Self.table.restart(log, after: source, at: starts, in: $0, owner: stage)
        }
    }

    static func leaseLost(_ what: String) -> PipelineError {
        .fenced("lease-lost", "\(what) has been given back or taken over by another worker")
    }
}
