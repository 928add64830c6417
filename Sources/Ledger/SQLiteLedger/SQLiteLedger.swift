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

    public func register() async throws {
        let registered = try await database.write { [stage, isExclusive] connection in
            try connection.checkOwners(
                stage.owners, pipeline: stage.pipeline, stage: stage.stage,
                isExclusive: isExclusive)
            return try Registration.register(stage, in: connection)
        }
        registration.withLock { $0 = registered }
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

    public func positions(
        of source: String, initial: [Int32: Int64]
    ) async throws -> [Int32: Int64] {
        let stage = try await registered().number
        return try await database.write { connection in
            let insert = try connection.statement(
                "INSERT INTO ledger_positions VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")
            let select = try connection.statement(
                """
                SELECT next_offset FROM ledger_positions
                WHERE stage_no = ?1 AND source = ?2 AND partition = ?3
                """)
            var positions: [Int32: Int64] = [:]
            for (partition, offset) in initial.sorted(by: { $0.key < $1.key }) {
                try insert.run(stage, source, partition, offset)
                positions[partition] = try select.first(stage, source, partition) { $0.int64(0) }
            }
            return positions
        }
    }

    static func leaseLost(_ what: String) -> PipelineError {
        .fenced("lease-lost", "\(what) has been given back or taken over by another worker")
    }
}
