public import Concurrency
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
    public let outcomesCommitted = Signal()
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
            let elsewhere = try SQLiteStateTables(connection).checkOwners(
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
        .fenced(.leaseLost, "\(what) has been given back or taken over by another worker")
    }
}

/// A stage's row, as one process knows it.
struct Registration: Sendable {
    var number: Int64
    /// The revision of this process's rule.
    var revision: Int64

    private struct Stored {
        var number: Int64
        var revision: Int64
        var rule: String
    }

    private static func load(
        _ stage: LedgerStage, from connection: SQLiteConnection
    ) throws -> Stored? {
        try connection.first(
            "SELECT stage_no, revision, rule FROM ledger_stages WHERE pipeline = ?1 AND stage = ?2",
            stage.pipeline, stage.stage
        ) { Stored(number: $0.int64(0), revision: $0.int64(1), rule: $0.text(2)) }
    }

    /// The row as it is, whatever its rule; `nil` if there is none.
    fileprivate static func find(_ stage: LedgerStage, in connection: SQLiteConnection) throws
        -> Self?
    {
        try load(stage, from: connection).map {
            Registration(number: $0.number, revision: stage.revision ?? $0.revision)
        }
    }

    /// Creates the row, or takes note of the rule.
    /// - Throws: `fatal` `rule-conflict`.
    fileprivate static func register(_ stage: LedgerStage, in connection: SQLiteConnection) throws
        -> Self
    {
        guard let stored = try load(stage, from: connection) else {
            try connection.run(
                "INSERT INTO ledger_stages(pipeline, stage, rule, revision) VALUES(?1, ?2, ?3, ?4)",
                stage.pipeline, stage.stage, stage.ruleText, stage.revision ?? 1)
            return try find(stage, in: connection)!
        }
        let isSame = stored.rule == stage.ruleText
        let revision = stage.revision ?? (isSame ? stored.revision : stored.revision + 1)
        if revision == stored.revision && !isSame {
            throw PipelineError.fatal(
                .ruleConflict,
                "the stored rule of \(stage.pipeline)/\(stage.stage) has the same revision "
                    + "(\(revision)) and another text: raise the revision")
        }
        if revision > stored.revision {
            try connection.run(
                "UPDATE ledger_stages SET rule = ?2, revision = ?3 WHERE stage_no = ?1",
                stored.number, stage.ruleText, revision)
        }
        return Registration(number: stored.number, revision: revision)
    }
}
