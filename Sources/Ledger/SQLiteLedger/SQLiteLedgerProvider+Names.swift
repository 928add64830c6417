internal import Ledger
public import PipelineCore
internal import SQLite

extension SQLiteLedgerProvider: StateAdministration {
    public func enter(_ stage: LedgerNeed) async throws {
        try await database.write { [isExclusive] connection in
            try connection.checkOwners(
                stage.owners, pipeline: stage.pipeline, stage: stage.stage,
                isExclusive: isExclusive)
            try connection.run(
                """
                INSERT INTO ledger_stages(pipeline, stage, rule, revision) VALUES(?1, ?2, ?3, ?4)
                ON CONFLICT DO NOTHING
                """, stage.pipeline, stage.stage, stage.ruleText, stage.revision ?? 1)
        }
    }

    public func rename(_ old: StateName, to new: StateName) async throws -> [String] {
        try await database.write { connection in
            var moved = try connection.stages(old).compactMap { row in
                try connection.move(row, to: (new.pipeline, new.part ?? row.state.stage))
            }
            if let sink = old.part, let newSink = new.part, old.pipeline == new.pipeline {
                moved += try connection.stages(StateName(pipeline: old.pipeline)).compactMap {
                    try connection.move(deliveriesTo: sink, of: $0, to: newSink)
                }
            }
            return moved + (try connection.moveDeadLetters(old, to: new))
        }
    }

    public func abandon(
        _ name: StateName, reason: String, isTrial: Bool
    ) async throws -> [String] {
        try await database.write { [clock, random] connection in
            var ended: [String] = []
            for row in try connection.stages(name) where row.state.hasOpenWork {
                ended.append("\(row.state.name): \(row.state.openWork)")
                if isTrial { continue }
                try connection.end(
                    row.number, reason: reason, at: clock.timestamp, naming: random.uuid)
                try connection.giveUp(row.number, sink: nil, at: clock.timestamp)
            }
            guard let sink = name.part else { return ended }
            for row in try connection.stages(StateName(pipeline: name.pipeline)) {
                guard row.state.openSinks.contains(sink) else { continue }
                ended.append("\(row.state.name): \(row.state.openWork(of: sink))")
                if isTrial { continue }
                try connection.giveUp(row.number, sink: sink, at: clock.timestamp)
            }
            return ended
        }
    }
}

/// A stage's row with what it holds.
private struct StageRow {
    var number: Int64
    var state: StageState
}

extension SQLiteConnection {
    /// Answers whose open work is not among the owners'.
    ///
    /// - Throws: `fatal` `state-unowned`.
    @discardableResult
    func checkOwners(
        _ owners: [StateOwner], pipeline: String, stage: String, isExclusive: Bool
    ) throws -> [StageState] {
        if owners.isEmpty { return [] }
        let ownership = StateOwnership(
            owners: owners, stored: try stageStates(), isExclusive: isExclusive)
        try ownership.check(pipeline: pipeline, stage: stage)
        return ownership.elsewhere
    }

    /// What the ledger holds, by stage.
    func stageStates() throws -> [StageState] { try stages(nil).map(\.state) }

    /// - Parameter name: a pipeline or a stage; `nil` for all.
    fileprivate func stages(_ name: StateName?) throws -> [StageRow] {
        var rows: [StageRow] = []
        try forEach(
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
            rows.append(StageRow(number: row.int64(0), state: state))
        }
        for index in rows.indices {
            try forEach(
                """
                SELECT sink, count(*) FROM ledger_deliveries
                WHERE stage_no = ?1 AND delivered_at IS NULL GROUP BY sink
                """, rows[index].number
            ) { rows[index].state.undelivered[$0.text(0)] = $0.int(1) }
            try forEach(
                "SELECT sink, count(*) FROM ledger_parked WHERE stage_no = ?1 GROUP BY sink",
                rows[index].number
            ) { rows[index].state.parked[$0.text(0)] = $0.int(1) }
            try forEach(
                "SELECT DISTINCT source FROM ledger_positions WHERE stage_no = ?1",
                rows[index].number
            ) { rows[index].state.sources.insert($0.text(0)) }
        }
        return rows
    }

    /// Gives a stage's row another name, if it holds anything. A row of that name that holds
    /// nothing gets the old one in exchange.
    fileprivate func move(
        _ row: StageRow, to new: (pipeline: String, stage: String)
    ) throws -> String? {
        let (old, number) = (row.state, row.number)
        guard try holdsState(number), (old.pipeline, old.stage) != new else { return nil }
        if let other = try stages(StateName(pipeline: new.pipeline, part: new.stage)).first {
            if try holdsState(other.number) { throw PipelineError.stateOwned(other.state) }
            try name(number, "~", "\(number)")
            try name(other.number, old.pipeline, old.stage)
        }
        try name(number, new.pipeline, new.stage)
        let work = old.hasOpenWork ? " (\(old.openWork))" : ""
        return "\(old.name) is \(new.pipeline)/\(new.stage) now\(work)"
    }

    private func name(_ number: Int64, _ pipeline: String, _ stage: String) throws {
        try run(
            "UPDATE ledger_stages SET pipeline = ?2, stage = ?3 WHERE stage_no = ?1", number,
            pipeline, stage)
    }

    /// Whether anything was ever accepted, or read up to somewhere.
    private func holdsState(_ number: Int64) throws -> Bool {
        try first(
            """
            SELECT EXISTS(SELECT 1 FROM ledger_positions WHERE stage_no = ?1)
              OR EXISTS(SELECT 1 FROM ledger_pending WHERE stage_no = ?1)
              OR EXISTS(SELECT 1 FROM ledger_batches WHERE stage_no = ?1)
              OR EXISTS(SELECT 1 FROM ledger_stages WHERE stage_no = ?1 AND generated_cases > 0)
            """, number
        ) { $0.int(0) == 1 } ?? false
    }

    fileprivate func moveDeadLetters(_ old: StateName, to new: StateName) throws -> [String] {
        let count = try run(
            """
            UPDATE ledger_dead_letters SET pipeline = ?3, stage = ifnull(?4, stage)
            WHERE pipeline = ?1 AND (?2 IS NULL OR stage = ?2)
            """, old.pipeline, old.part, new.pipeline, new.part)
        return count == 0 ? [] : ["\(count) dead letters of \(old) are kept for \(new) now"]
    }

    fileprivate func move(
        deliveriesTo sink: String, of row: StageRow, to new: String
    ) throws -> String? {
        guard row.state.openSinks.contains(sink) else { return nil }
        let both =
            try first(
                """
                SELECT count(*) FROM ledger_deliveries o
                JOIN ledger_deliveries n ON n.batch_no = o.batch_no AND n.sink = ?3
                WHERE o.stage_no = ?1 AND o.sink = ?2 AND (o.delivered_at IS NULL OR EXISTS (
                  SELECT 1 FROM ledger_parked k WHERE k.batch_no = o.batch_no AND k.sink = o.sink))
                """, row.number, sink, new
            ) { $0.int(0) } ?? 0
        if both > 0 { throw PipelineError.sinkOwned(both, new, row.state) }
        try run(
            """
            UPDATE ledger_deliveries SET sink = ?3
            WHERE stage_no = ?1 AND sink = ?2 AND (delivered_at IS NULL OR EXISTS (
              SELECT 1 FROM ledger_parked k
              WHERE k.batch_no = ledger_deliveries.batch_no AND k.sink = ledger_deliveries.sink))
            """, row.number, sink, new)
        try run(
            "UPDATE ledger_parked SET sink = ?3 WHERE stage_no = ?1 AND sink = ?2", row.number,
            sink, new)
        return "\(row.state.name): \(row.state.openWork(of: sink)) will go to \(new)"
    }

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
            "INSERT INTO ledger_outcomes VALUES(?1, ?2, ?3, NULL, ?4, ?5, ?6, NULL)")
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
