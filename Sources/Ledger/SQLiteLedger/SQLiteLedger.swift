public import Ledger
public import PipelineCore
public import SQLite
internal import Synchronization

/// The ledger of one stage in a SQLite file.
///
/// Every method is one transaction that holds the file's write lock (`BEGIN IMMEDIATE`), which makes evaluating the
/// rule, sealing and claiming exclusive; reads use a snapshot beside it.
public final class SQLiteLedger: Ledger {
    let stage: LedgerStage
    let database: SQLiteDatabase
    let clock: PipelineClock
    let random: RandomSource
    public let outcomesCommitted = Doorbell()
    private let number = Mutex<Int64?>(nil)

    public init(
        _ stage: LedgerStage, database: SQLiteDatabase, clock: PipelineClock, random: RandomSource
    ) {
        self.stage = stage
        self.database = database
        self.clock = clock
        self.random = random
    }

    public func register() async throws {
        let registered = try await database.write { [stage] connection in
            try connection.run(
                """
                INSERT INTO ledger_stages(pipeline, stage, rule, revision) VALUES(?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING
                """, stage.pipeline, stage.stage, stage.ruleText, stage.revision)
            let stored = try connection.first(
                """
                SELECT stage_no, revision, rule FROM ledger_stages
                WHERE pipeline = ?1 AND stage = ?2
                """, stage.pipeline, stage.stage
            ) { (number: $0.int64(0), revision: $0.int64(1), rule: $0.text(2)) }!
            if stored.revision == stage.revision && stored.rule != stage.ruleText {
                throw PipelineError.fatal(
                    "rule-conflict",
                    "stage \(stage.stage) of \(stage.pipeline) has another rule under revision "
                        + "\(stage.revision); give the changed rule a higher revision")
            }
            if stored.revision < stage.revision {
                try connection.run(
                    "UPDATE ledger_stages SET rule = ?2, revision = ?3 WHERE stage_no = ?1",
                    stored.number, stage.ruleText, stage.revision)
            }
            return stored.number
        }
        number.withLock { $0 = registered }
    }

    /// The stage's row.
    /// - Throws: `fatal` `stage-unknown` before anybody has registered it.
    func stageNumber(_ connection: SQLiteConnection) throws -> Int64 {
        if let known = number.withLock({ $0 }) { return known }
        let stored = try connection.first(
            "SELECT stage_no FROM ledger_stages WHERE pipeline = ?1 AND stage = ?2",
            stage.pipeline, stage.stage
        ) { $0.int64(0) }
        guard let stored else {
            throw PipelineError.fatal(
                "stage-unknown",
                "\(database.path) knows no stage \(stage.stage) of \(stage.pipeline); "
                    + "run the pipeline once")
        }
        number.withLock { $0 = stored }
        return stored
    }

    public func positions(
        of source: String, initial: [Int32: Int64]
    ) async throws -> [Int32: Int64] {
        try await database.write { [self] connection in
            let stage = try stageNumber(connection)
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
