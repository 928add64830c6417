public import Ledger
public import PipelineCore
public import SQLite
internal import Synchronization

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

    public var backend: Backend? { database.backend }

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

extension SQLiteLedgerProvider: StateAdministration {
    public func enter(_ stage: LedgerNeed) async throws {
        try await database.write { [isExclusive] connection in
            try SQLiteStateTables(connection).checkOwners(
                stage.owners, pipeline: stage.pipeline, stage: stage.stage,
                isExclusive: isExclusive)
            try connection.run(
                """
                INSERT INTO ledger_stages(pipeline, stage, rule, revision) VALUES(?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING
                """, stage.pipeline, stage.stage, stage.ruleText, stage.revision ?? 1)
        }
    }

    /// What the ledgers hold, by stage. Only reads.
    public func stages() async throws -> [StageState] {
        let found = Mutex<[StageState]>([])
        _ = try await database.inspect { connection in
            guard let connection, try connection.hasTable("ledger_stages"),
                try connection.finding("ledger", of: LedgerSchema.migration).verdict == .ok
            else { return [] }
            let states = try SQLiteStateTables(connection).states()
            found.withLock { $0 = states }
            return []
        }
        return found.withLock { $0 }
    }

    public func rename(_ renamings: [StateRenaming], isTrial: Bool) async throws -> [[String]] {
        try await renamings.done(isTrial: isTrial, in: { try await database.write($0) }) {
            try Self.rename($0, $1)
        }
    }

    /// One renaming, within somebody's transaction.
    public static func rename(
        _ renaming: StateRenaming, _ connection: SQLiteConnection
    ) throws -> [String] {
        try SQLiteStateTables(connection).rename(renaming)
    }

    public func resume(
        _ name: StateName, by actor: String, isTrial: Bool
    ) async throws -> [String] {
        try await database.write { [clock] connection in
            guard try connection.hasTable("ledger_pauses") else { return [] }
            return try SQLiteStateTables(connection, at: clock.timestamp).resume(
                name, by: actor, isTrial: isTrial)
        }
    }

    public func abandon(
        _ name: StateName, besides owners: [StateOwner], reason: String, isTrial: Bool
    ) async throws -> [String] {
        try await database.write { [clock, random] connection in
            let tables = SQLiteStateTables(connection)
            let open = try tables.openWork(under: name)
            for work in isTrial ? [] : open {
                if work.sink == nil {
                    try connection.end(
                        work.stage, reason: reason, at: clock.timestamp, naming: random.uuid)
                }
                try connection.giveUp(work.stage, sink: work.sink, at: clock.timestamp)
            }
            let pauses = try tables.endPauses(under: name, besides: owners, isTrial: isTrial)
            let forgotten = try tables.forget(name, besides: owners, isTrial: isTrial)
                .filter { row in !open.contains { $0.stage == row.stage } }
            return open.map(\.sentence) + forgotten.map(\.sentence) + pauses
        }
    }
}

/// The tables of SQLite that know names.
struct SQLiteStateTables: StateTables {
    private let connection: SQLiteConnection
    /// When a change is made.
    private let now: Timestamp
    init(_ connection: SQLiteConnection, at now: Timestamp = .epoch) {
        self.connection = connection
        self.now = now
    }

    func stages(_ name: StateName?) throws -> [(key: Int64, state: StageState)] {
        var rows: [(key: Int64, state: StageState)] = []
        try connection.forEach(
            """
            SELECT s.stage_no, s.pipeline, s.stage,
              (SELECT count(*) FROM
                (SELECT 1 FROM ledger_pending p WHERE p.stage_no = s.stage_no LIMIT 10000)),
              (SELECT count(*) FROM ledger_batches b
               WHERE b.stage_no = s.stage_no AND b.committed_at IS NULL)
            FROM ledger_stages s
            WHERE (?1 IS NULL OR s.pipeline = ?1) AND (?2 IS NULL OR s.stage = ?2)
            ORDER BY s.stage_no
            """, name?.pipeline, name?.part
        ) { row in
            let state = StageState(
                pipeline: row.text(1), stage: row.text(2), waiting: row.int(3),
                openBatches: row.int(4))
            rows.append((row.int64(0), state))
        }
        for index in rows.indices {
            try connection.forEach(
                """
                SELECT sink, count(*) FROM ledger_deliveries
                WHERE stage_no = ?1 AND delivered_at IS NULL GROUP BY sink
                """, rows[index].key
            ) { rows[index].state.undelivered[$0.text(0)] = $0.int(1) }
            try connection.forEach(
                "SELECT sink, count(*) FROM ledger_parked WHERE stage_no = ?1 GROUP BY sink",
                rows[index].key
            ) { rows[index].state.parked[$0.text(0)] = $0.int(1) }
            try connection.forEach(
                "SELECT DISTINCT source FROM ledger_positions WHERE stage_no = ?1",
                rows[index].key
            ) { rows[index].state.sources.insert($0.text(0)) }
            rows[index].state.pauses = try connection.pauses(of: rows[index].key)
        }
        return rows
    }

    func name(_ number: Int64, _ pipeline: String, _ stage: String) throws {
        try connection.run(
            "UPDATE ledger_stages SET pipeline = ?2, stage = ?3 WHERE stage_no = ?1", number,
            pipeline, stage)
    }

    func dropPositions(of number: Int64) throws {
        try connection.run("DELETE FROM ledger_positions WHERE stage_no = ?1", number)
    }

    func holdsState(_ number: Int64) throws -> Bool {
        try connection.first(
            """
            SELECT EXISTS(SELECT 1 FROM ledger_positions WHERE stage_no = ?1)
              OR EXISTS(SELECT 1 FROM ledger_pending WHERE stage_no = ?1)
              OR EXISTS(SELECT 1 FROM ledger_batches WHERE stage_no = ?1)
              OR EXISTS(SELECT 1 FROM ledger_stages WHERE stage_no = ?1 AND generated_cases > 0)
            """, number
        ) { $0.int(0) == 1 } ?? false
    }

    func moveDeadLetters(_ old: StateName, to new: StateName) throws -> Int {
        try connection.run(
            """
            UPDATE ledger_dead_letters SET pipeline = ?3, stage = ifnull(?4, stage)
            WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
            """, old.pipeline, old.part, new.pipeline, new.part)
    }

    func batches(openTo sink: String, markedFor other: String, of stage: Int64) throws -> Int {
        try connection.first(
            """
            SELECT count(*) FROM ledger_deliveries o
            JOIN ledger_deliveries n ON n.batch_no = o.batch_no AND n.sink = ?3
            WHERE o.stage_no = ?1 AND o.sink = ?2 AND (o.delivered_at IS NULL OR EXISTS (
              SELECT 1 FROM ledger_parked k WHERE k.batch_no = o.batch_no AND k.sink = o.sink))
            """, stage, sink, other
        ) { $0.int(0) } ?? 0
    }

    func moveDeliveries(to sink: String, of stage: Int64, to new: String) throws {
        try connection.run(
            """
            UPDATE ledger_deliveries SET sink = ?3
            WHERE stage_no = ?1 AND sink = ?2 AND (delivered_at IS NULL OR EXISTS (
              SELECT 1 FROM ledger_parked k
              WHERE k.batch_no = ledger_deliveries.batch_no AND k.sink = ledger_deliveries.sink))
            """, stage, sink, new)
        try connection.run(
            "UPDATE ledger_parked SET sink = ?3 WHERE stage_no = ?1 AND sink = ?2", stage, sink,
            new)
    }

    func movePause(
        _ part: LedgerPart, of stage: Int64, to new: LedgerPart, of other: Int64
    ) throws {
        try connection.run(
            """
            INSERT INTO ledger_pauses(stage_no, part, since, reason)
            SELECT ?4, ?3, since, reason FROM ledger_pauses WHERE stage_no = ?1 AND part = ?2
            ON CONFLICT DO NOTHING
            """, stage, part.text, new.text, other)
        try dropPause(part, of: stage)
    }

    func dropPause(_ part: LedgerPart, of stage: Int64) throws {
        try connection.run(
            "DELETE FROM ledger_pauses WHERE stage_no = ?1 AND part = ?2", stage, part.text)
    }

    func note(_ action: String, by actor: String, on stage: Int64) throws {
        try connection.note(action, by: actor, on: stage, at: now)
    }
}

extension SQLiteConnection {
    /// Cancels what waits, as a batch of its own, and what is in open batches. Tokens are spent:
    /// whoever generates such a batch has lost its lease.
    fileprivate func end(
        _ stage: Int64, reason: String, at now: Timestamp, naming id: () -> UUID
    ) throws {
        try run(
            """
            INSERT INTO ledger_batches(stage_no, cases, case_count, closed_by, revision, sealed_at)
            SELECT ?1, json_group_array(case_no), count(*), 'abandoned',
              (SELECT revision FROM ledger_stages WHERE stage_no = ?1), ?2
            FROM ledger_pending WHERE stage_no = ?1 HAVING count(*) > 0
            """, stage, now)
        try run("DELETE FROM ledger_pending WHERE stage_no = ?1", stage)
        var cases: [(batch: Int64, number: Int64)] = []
        try forEach(
            """
            SELECT b.batch_no, n.value FROM ledger_batches b CROSS JOIN json_each(b.cases) n
            WHERE b.stage_no = ?1 AND b.committed_at IS NULL
            """, stage
        ) { cases.append(($0.int64(0), $0.int64(1))) }
        let insert = try statement(
            "INSERT OR IGNORE INTO ledger_outcomes VALUES(?1, ?2, ?3, NULL, ?4, ?5, ?6, NULL)")
        for item in cases {
            try insert.run(
                item.number, item.batch, now, id(), CaseState.cancelled.rawValue, reason)
        }
        try run(
            """
            UPDATE ledger_batches SET token = token + 1, worker = NULL, last_error = ?3,
              committed_at = ?2, done_at = ?2
            WHERE stage_no = ?1 AND committed_at IS NULL
            """, stage, now, reason)
    }

    /// - Parameter sink: `nil` for all.
    fileprivate func giveUp(_ stage: Int64, sink: String?, at now: Timestamp) throws {
        try run(
            "DELETE FROM ledger_parked WHERE stage_no = ?1 AND (?2 IS NULL OR sink = ?2)", stage,
            sink)
        try run(
            """
            DELETE FROM ledger_deliveries
            WHERE stage_no = ?1 AND delivered_at IS NULL AND (?2 IS NULL OR sink = ?2)
            """, stage, sink)
        try run(
            """
            UPDATE ledger_batches SET done_at = ?2
            WHERE stage_no = ?1 AND committed_at IS NOT NULL AND done_at IS NULL AND NOT EXISTS (
              SELECT 1 FROM ledger_deliveries d
              WHERE d.batch_no = ledger_batches.batch_no AND d.delivered_at IS NULL)
              AND NOT EXISTS (
                SELECT 1 FROM ledger_parked k WHERE k.batch_no = ledger_batches.batch_no)
            """, stage, now)
    }
}
