public import Concurrency
public import Ledger
public import PipelineCore
public import Postgres
internal import Synchronization

/// The ledger of one stage in PostgreSQL.
///
/// Every statement that belongs together is one round trip to a function of ``LedgerSchema``;
/// sealing is one transaction of a few, so that the rule itself is decided here, by the same code
/// that a simulation runs.
public final class PostgresLedger: Ledger {
    private let pool: PostgresPool
    let stage: LedgerStage
    public let outcomesCommitted = Signal()
    private let registration = Mutex<Registration?>(nil)

    /// Opens nothing.
    public init(pool: PostgresPool, stage: LedgerStage) {
        self.pool = pool
        self.stage = stage
    }

    @discardableResult
    public func register() async throws -> [StageState] {
        let stage = stage
        try await pool.check(LedgerSchema.migration)
        let (registration, isConflict, elsewhere) = try await pool.withConnection { connection in
            let elsewhere = try PostgresStateTables(connection).checkOwners(
                stage.owners, pipeline: stage.pipeline, stage: stage.stage, isExclusive: false)
            let answer = try connection.query(
                "select stage, revision, is_conflict from penstock.register($1, $2, $3, $4)"
            ) {
                $0.add(text: stage.pipeline)
                $0.add(text: stage.stage)
                $0.add(text: stage.ruleText)
                $0.add(int8: stage.revision)
            }
            let registration = Registration(
                number: Int16(answer.int64(0, 0)), revision: answer.int64(0, 1))
            return (registration, answer.bool(0, 2), elsewhere)
        }
        if isConflict {
            throw PipelineError.fatal(
                .ruleConflict,
                "the stored rule of \(stage.pipeline)/\(stage.stage) has the same revision"
                    + " (\(registration.revision)) and another text: raise the revision")
        }
        self.registration.withLock { $0 = registration }
        return elsewhere
    }

    /// Lends a connection and the stage's number, registering the stage first if nobody has.
    func withStage<T: Sendable>(
        for purpose: PostgresPool.Purpose = .work,
        _ body: @escaping @Sendable (PostgresConnection, Int16) throws -> T
    ) async throws -> T {
        let number = try await registered().number
        do {
            return try await pool.withConnection(for: purpose) { try body($0, number) }
        } catch let error as PipelineError {
            throw LedgerError.translate(error)
        }
    }

    /// Claims within a transaction: a session that was given up midway, by a process that could not
    /// wait for it, takes nothing then that would have to run out.
    ///
    /// - Returns: `nil` while an operator holds the part up.
    func claiming(
        _ part: LedgerPart, _ sql: String,
        bind: @escaping @Sendable (PostgresParameters, Int16) -> Void
    ) async throws -> PostgresResult? {
        try await withStage { connection, stage in
            try connection.transaction {
                if try connection.isPaused(part, stage) { return nil }
                return try connection.query(sql) { bind($0, stage) }
            }
        }
    }

    /// The stage's row as this process knows it.
    func registered() async throws -> Registration {
        if let known = registration.withLock({ $0 }) { return known }
        let stage = stage
        let found = try await pool.withConnection { connection in
            let answer = try connection.query(
                "select stage, revision from penstock.stages where pipeline = $1 and name = $2"
            ) {
                $0.add(text: stage.pipeline)
                $0.add(text: stage.stage)
            }
            if answer.rowCount == 0 { return nil as Registration? }
            return Registration(
                number: Int16(answer.int64(0, 0)), revision: stage.revision ?? answer.int64(0, 1))
        }
        if let found {
            registration.withLock { $0 = found }
            return found
        }
        try await register()
        return try await registered()
    }
}

/// A stage's row, as one process knows it.
struct Registration: Sendable {
    var number: Int16
    /// The revision of this process's rule.
    var revision: Int64
}

/// The states that the ledger's functions raise, as operating errors.
enum LedgerError {
    private static let positionMoved = "PS001"

    static func translate(_ error: any Error) -> any Error {
        guard let error = error as? PipelineError else { return error }
        return translate(error)
    }

    fileprivate static func translate(_ error: PipelineError) -> PipelineError {
        guard let state = error.postgres?.sqlState else { return error }
        switch state {
        case positionMoved:
            return .fenced(
                .positionMoved,
                "another process has taken over an input: its stored position has moved",
                cause: error.cause)
        case "PS002":
            return .fenced(
                .ruleOutdated, "another process seals under a newer rule", cause: error.cause)
        case "PS003":
            return .retryable(
                .storeConflict, "a batch turned out not to be full", cause: error.cause)
        case "PS004": return leaseLost(cause: error.cause)
        case "PS005":
            return .fatal(
                .outcomesMismatch, "the outcomes are not those of the batch's cases",
                cause: error.cause)
        case "PS007":
            return .fatal(
                .batchIndivisible, "a batch of one case can't be divided", cause: error.cause)
        default: return error
        }
    }

    static func leaseLost(cause: (any Error)? = nil) -> PipelineError {
        .fenced(
            .leaseLost, "another process has taken over the batch, or it is finished",
            cause: cause)
    }
}

extension PostgresLedger {
    public func end(
        _ ids: [UUID], as state: CaseState, reason: String, sinks: [String]
    ) async throws -> Int {
        precondition(
            state == .cancelled || state == .expired, "not a state that ends open cases")
        let count = try await withStage { connection, stage in
            try connection.query("select penstock.end_cases($1, $2, $3, $4, $5, $6)") {
                $0.add(int2: stage)
                $0.add(uuids: ids)
                $0.add(char: state.letter)
                $0.add(text: state.rawValue)
                $0.add(text: reason.storable)
                $0.add(texts: sinks)
            }.int(0, 0)
        }
        if count > 0 { outcomesCommitted.send() }
        return count
    }

    public func purge(finishedBefore before: Timestamp) async throws -> Int? {
        try await withStage(for: .bulk) { connection, stage in
            try connection.query("select penstock.purge($1, $2)") {
                $0.add(int2: stage)
                $0.add(timestamptz: before)
            }.int64OrNil(0, 0).map(Int.init)
        }
    }
}

extension PostgresLedger {
    public func parked(
        _ selection: ParkedSelection, limit: Int
    ) async throws -> [ParkedOutcome] {
        try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select batch_no, sink, key, outcome_id, code, reason, attempts, parked_at, is_due,
                  attempt, case_no
                from penstock.parked_of($1, $2, $3, $4, $5, $6, $7)
                where $8::timestamptz is null
                  or (parked_at, batch_no, case_no, sink) > ($8, $9::bigint, $10::bigint, $11::text)
                order by parked_at, batch_no, case_no, sink limit $12
                """
            ) {
                $0.add(stage, selection)
                $0.add(timestamptz: selection.after?.parkedAt)
                $0.add(int8: selection.after?.batch)
                $0.add(int8: selection.after?.number)
                $0.add(text: selection.after?.sink)
                $0.add(int8: Int64(limit))
            }
            return (0..<answer.rowCount).map { row in
                ParkedOutcome(
                    batch: answer.int64(row, 0), sink: answer.text(row, 1),
                    caseID: answer.uuid(row, 2), outcomeID: answer.uuid(row, 3),
                    revision: answer.int(row, 9), number: answer.int64(row, 10),
                    code: ErrorCode(foreign: answer.text(row, 4)), reason: answer.text(row, 5),
                    attempts: answer.int(row, 6), parkedAt: answer.timestamp(row, 7),
                    isDue: answer.bool(row, 8))
            }
        }
    }

    public func parkedCounts() async throws -> [String: Int] {
        try await withStage { connection, stage in
            let answer = try connection.query(
                "select sink, count(*) from penstock.parked where stage = $1 group by sink"
            ) { $0.add(int2: stage) }
            return Dictionary(
                uniqueKeysWithValues: (0..<answer.rowCount).map {
                    (answer.text($0, 0), answer.int($0, 1))
                })
        }
    }

    public func replayParked(_ selection: ParkedSelection) async throws -> Int {
        try await withStage { connection, stage in
            try connection.query("select penstock.replay_parked($1, $2, $3, $4, $5, $6, $7)") {
                $0.add(stage, selection)
            }.int(0, 0)
        }
    }

    public func dropParked(_ selection: ParkedSelection) async throws -> Int {
        try await withStage { connection, stage in
            try connection.query("select penstock.drop_parked($1, $2, $3, $4, $5, $6, $7)") {
                $0.add(stage, selection)
            }.int(0, 0)
        }
    }
}

extension PostgresParameters {
    fileprivate func add(_ stage: Int16, _ selection: ParkedSelection) {
        add(int2: stage)
        add(text: selection.sink)
        add(text: selection.code)
        add(uuidsOrNull: selection.cases)
        add(int2: selection.revision.map { Int16(clamping: $0) })
        add(timestamptz: selection.parkedFrom)
        add(timestamptz: selection.parkedBefore)
    }
}
