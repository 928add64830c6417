internal import Batching
public import Ledger
public import PipelineCore
public import Postgres
internal import Synchronization

/// The ledger of one stage in PostgreSQL.
///
/// Every statement that belongs together is one round trip to a function of ``LedgerSchema``; sealing is one
/// transaction of a few, so that the rule itself is decided here, by the same code that a simulation runs.
public final class PostgresLedger: Ledger {
    let pool: PostgresPool
    let stage: LedgerStage
    public let outcomesCommitted = Doorbell()
    /// The stage's number in the tables, once known.
    private let number = Mutex<Int16?>(nil)
    let unanswered = UnansweredSubmissions()

    /// Opens nothing.
    public init(pool: PostgresPool, stage: LedgerStage) {
        self.pool = pool
        self.stage = stage
    }

    public func register() async throws {
        let stage = stage
        let (number, isConflict) = try await pool.withConnection { connection in
            let answer = try connection.query(
                "select stage, is_conflict from penstock.register($1, $2, $3, $4, $5)"
            ) {
                $0.add(text: stage.pipeline)
                $0.add(text: stage.stage)
                $0.add(text: stage.ruleText)
                $0.add(int8: stage.revision)
                $0.add(int4: Int32(clamping: stage.rule.maxBatch))
            }
            return (Int16(answer.int64(0, 0)), answer.bool(0, 1))
        }
        self.number.withLock { $0 = number }
        if isConflict {
            throw PipelineError.fatal(
                "rule-conflict",
                "the stored rule of \(stage.pipeline)/\(stage.stage) has the same revision"
                    + " (\(stage.revision)) and another text: raise the revision")
        }
    }

    /// Lends a connection and the stage's number, registering the stage first if nobody has.
    func withStage<T: Sendable>(
        _ body: @escaping @Sendable (PostgresConnection, Int16) throws -> T
    ) async throws -> T {
        let number = try await stageNumber()
        do {
            return try await pool.withConnection { try body($0, number) }
        } catch let error as PipelineError {
            throw LedgerError.translate(error)
        }
    }

    private func stageNumber() async throws -> Int16 {
        if let known = number.withLock({ $0 }) { return known }
        let stage = stage
        let found = try await pool.withConnection { connection in
            let answer = try connection.query(
                "select stage from penstock.stages where pipeline = $1 and name = $2"
            ) {
                $0.add(text: stage.pipeline)
                $0.add(text: stage.stage)
            }
            return answer.rowCount == 0 ? nil : Int16(answer.int64(0, 0))
        }
        if let found {
            number.withLock { $0 = found }
            return found
        }
        try await register()
        return try await stageNumber()
    }
}
