internal import Batching
internal import Ledger
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func seal() async throws -> SealingResult {
        let registration = try await registered()
        return try await database.write { [clock, stage] connection in
            var sealer = try Sealer(connection, registration, now: clock.timestamp)
            return try sealer.seal(stage.rule)
        }
    }

    public func requestFlush() async throws {
        let number = try await registered().number
        try await database.write { [clock] connection in
            _ = try connection.run(
                "UPDATE ledger_stages SET flush_requested = ?2 WHERE stage_no = ?1",
                number, clock.timestamp)
        }
    }

    public func expectedSealing() async throws -> ExpectedSealing {
        let registration = try await registered()
        return try await database.read { [clock, stage] connection in
            let now = clock.timestamp
            let sealer = try Sealer(connection, registration, now: now)
            return try sealer.expected(stage.rule)
        }
    }
}

/// Evaluates a stage's rule and seals what it says, inside one transaction.
struct Sealer {
    /// Most batches in a transaction, so that a large drain does not keep others from writing for
    /// long.
    private static let batchesPerTransaction = 32

    private struct StageRow: Equatable {
        var revision: Int64
        var lastFired: Timestamp?
        var flushRequested: Timestamp?
        /// Set while a drain goes on over several transactions.
        var drain: Drain?
    }
    private struct Drain: Equatable {
        var reason: String
        /// The last case that waited when the rule fired: later ones belong to the next batch.
        var through: Int64
    }

    private let connection: SQLiteConnection
    private let stage: Int64
    private let revision: Int64
    private let now: Timestamp
    private var row: StageRow
    private var sealed: [SealedBatch] = []

    init(_ connection: SQLiteConnection, _ registration: Registration, now: Timestamp) throws {
        self.connection = connection
        stage = registration.number
        revision = registration.revision
        self.now = now
        row = try connection.first(
            """
            SELECT revision, last_fired, flush_requested, drain_reason, drain_through
            FROM ledger_stages WHERE stage_no = ?1
            """, stage
        ) {
            StageRow(
                revision: $0.int64(0), lastFired: $0.timestamp(1), flushRequested: $0.timestamp(2),
                drain: $0.isNull(3) ? nil : Drain(reason: $0.text(3), through: $0.int64(4)))
        }!
    }

    /// The revision of the rule in force.
    var revisionInForce: Int64 { row.revision }
    /// The reason of a drain that goes on over several transactions.
    var draining: String? { row.drain?.reason }

    /// When the rule will have sealed what waits, if nothing more arrives.
    func expected(_ rule: BatchingRule) throws -> ExpectedSealing {
        rule.expected(try look(rule), draining: row.drain?.reason, clock: now)
    }

    mutating func seal(_ rule: BatchingRule) throws -> SealingResult {
        if row.revision > revision {
            return SealingResult(
                open: try look(rule), clock: now, sealed: [], next: nil, outdatedBy: row.revision)
        }
        if try connection.isPaused(.sealing, stage) {
            return SealingResult(open: try look(rule), clock: now, sealed: [], next: nil)
        }
        let before = row
        var next: Timestamp? = now
        evaluation: while sealed.count < Self.batchesPerTransaction {
            if let drain = row.drain {
                try step(drain, rule)
                continue
            }
            switch rule.decide(try look(rule), now: now) {
            case .wait(let until):
                next = until
                break evaluation
            case .fire(let firing):
                row.lastFired = now
                try fire(firing, rule)
            }
        }
        if row != before { try store() }
        return SealingResult(open: try look(rule), clock: now, sealed: sealed, next: next)
    }

    private mutating func fire(_ firing: Firing, _ rule: BatchingRule) throws {
        switch firing {
        case .full(let reason, let size):
            // Whoever asked for a flush meant what is left as well: the request stays.
            let cases = try take(size, through: .max)
            try insert(cases, closedBy: reason)
        case .drain(let reason):
            row.flushRequested = nil
            let last = try connection.first(
                """
                SELECT case_no FROM ledger_pending WHERE stage_no = ?1
                ORDER BY case_no DESC LIMIT 1
                """, stage
            ) { $0.int64(0) }
            row.drain = Drain(reason: reason, through: last ?? 0)
        }
    }

    /// Seals the next batch of a drain, and ends it with the last.
    private mutating func step(_ drain: Drain, _ rule: BatchingRule) throws {
        let cases = try take(rule.maxBatch, through: drain.through)
        if !cases.isEmpty { try insert(cases, closedBy: drain.reason) }
        if cases.count < rule.maxBatch { row.drain = nil }
    }

    /// Takes the most urgent cases out of the open batch.
    private func take(_ limit: Int, through last: Int64) throws -> [Int64] {
        var cases: [Int64] = []
        try connection.forEach(
            """
            SELECT case_no FROM ledger_pending WHERE stage_no = ?1 AND case_no <= ?2
            ORDER BY deadline, case_no LIMIT ?3
            """, stage, last, limit
        ) { cases.append($0.int64(0)) }
        let delete = try connection.statement(
            "DELETE FROM ledger_pending WHERE stage_no = ?1 AND case_no = ?2")
        for number in cases { try delete.run(stage, number) }
        return cases
    }

    private mutating func insert(_ cases: [Int64], closedBy: String) throws {
        let number = try connection.first(
            """
            INSERT INTO ledger_batches(stage_no, cases, case_count, closed_by, revision, sealed_at)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6) RETURNING batch_no
            """, stage, CaseNumbers.encode(cases), cases.count, closedBy, revision, now
        ) { $0.int64(0) }!
        sealed.append(SealedBatch(number: number, count: cases.count, closedBy: closedBy))
    }

    private func store() throws {
        try connection.run(
            """
            UPDATE ledger_stages SET last_fired = ?2, flush_requested = ?3, drain_reason = ?4,
              drain_through = ?5 WHERE stage_no = ?1
            """, stage, row.lastFired, row.flushRequested, row.drain?.reason, row.drain?.through)
    }

    /// What waits, counted as far as the rule needs it: three or four bounded index reads.
    private func look(_ rule: BatchingRule) throws -> OpenBatch {
        try look(countingTo: rule.countBound, needsNewest: rule.needsNewest)
    }

    func look(countingTo bound: Int, needsNewest: Bool) throws -> OpenBatch {
        let count = try connection.first(
            """
            SELECT count(*) FROM (SELECT 1 FROM ledger_pending WHERE stage_no = ?1 LIMIT ?2)
            """, stage, bound
        ) { $0.int(0) }
        let oldest = try connection.first(
            """
            SELECT accepted_at FROM ledger_pending WHERE stage_no = ?1 ORDER BY case_no LIMIT 1
            """, stage
        ) { $0.timestamp(0) }
        let newest =
            needsNewest
            ? try connection.first(
                """
                SELECT accepted_at FROM ledger_pending WHERE stage_no = ?1
                ORDER BY case_no DESC LIMIT 1
                """, stage
            ) { $0.timestamp(0) } : nil
        let earliest = try connection.first(
            """
            SELECT deadline FROM ledger_pending WHERE stage_no = ?1
            ORDER BY deadline, case_no LIMIT 1
            """, stage
        ) { $0.timestamp(0) }
        return OpenBatch(
            count: count ?? 0, oldest: oldest ?? nil, newest: newest ?? nil,
            earliestDeadline: earliest ?? nil, flushRequested: flush(since: oldest ?? nil),
            lastFired: row.lastFired)
    }

    /// A flush is for what had been accepted when it was asked for.
    private func flush(since oldest: Timestamp?) -> Timestamp? {
        guard let oldest, let flush = row.flushRequested, flush >= oldest else { return nil }
        return flush
    }
}
