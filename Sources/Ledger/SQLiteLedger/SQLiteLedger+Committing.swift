internal import Concurrency
internal import Ledger
internal import Calendar
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func commit(_ commit: BatchCommit) async throws -> Timestamp {
        let stage = try await registered().number
        let committedAt = try await database.write { [clock] connection in
            let (cases, committedAt) = try Self.openCases(commit, in: connection)
            if let committedAt { return committedAt }
            guard
                cases.sorted() == commit.cases.sorted(),
                commit.outcomeIDs.count == cases.count, commit.results.count == cases.count
            else {
                throw PipelineError.fatal(
                    .outcomesMismatch,
                    "the outcomes of batch \(commit.batch) are not those of its cases")
            }
            let now = clock.timestamp
            try Self.insertOutcomes(commit, at: now, in: connection)
            try Self.finish(commit, stage: stage, at: now, in: connection)
            return now
        }
        outcomesCommitted.send()
        return committedAt
    }

    /// The cases of the batch, and when it was committed if this very commit has been made already.
    /// - Throws: `fenced` `lease-lost`.
    private static func openCases(
        _ commit: BatchCommit, in connection: SQLiteConnection
    ) throws -> (cases: [Int64], committedAt: Timestamp?) {
        let stored = try connection.first(
            "SELECT committed_at, cases FROM ledger_batches "
                + "WHERE batch_no = ?1 AND token = ?2", commit.batch, commit.token
        ) { (cases: CaseNumbers.decode($0.text(1)), committedAt: $0.timestamp(0)) }
        guard let stored else {
            throw leaseLost("batch \(commit.batch) under token \(commit.token)")
        }
        if stored.committedAt == nil { return stored }
        // The same commit again changes nothing; another one under the same token is somebody's
        // mistake. A case that was ended before it keeps the outcome that it has.
        let find = try connection.statement(
            """
            SELECT 1 FROM ledger_outcomes
            WHERE case_no = ?1 AND (outcome_id = ?2 OR state IN ('cancelled', 'expired'))
            """)
        let isSame = try zip(commit.cases, commit.outcomeIDs).allSatisfy { number, id in
            try find.first(number, id) { _ in true } ?? false
        }
        guard isSame else { throw leaseLost("batch \(commit.batch)") }
        return stored
    }

    private static func insertOutcomes(
        _ commit: BatchCommit, at now: Timestamp, in connection: SQLiteConnection
    ) throws {
        // A case that was ended meanwhile has its outcome, and keeps it.
        let insert = try connection.statement(
            "INSERT OR IGNORE INTO ledger_outcomes VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
        for index in commit.cases.indices {
            let reason: String?
            let report: Bytes?
            switch commit.results[index] {
            case .report(let bytes): (reason, report) = (nil, bytes)
            case .failure(let code, let text): (reason, report) = ("\(code): \(text)", nil)
            }
            let state = report == nil ? CaseState.failed : .succeeded
            try insert.run(
                commit.cases[index], commit.batch, now, commit.dataAsOf, commit.outcomeIDs[index],
                state.rawValue, reason, report)
        }
    }

    private static func finish(
        _ commit: BatchCommit, stage: Int64, at now: Timestamp, in connection: SQLiteConnection
    ) throws {
        let took = commit.took.wholeMicroseconds
        try connection.run(
            """
            UPDATE ledger_batches
            SET committed_at = ?2, done_at = ?3, took_us = ?4, rows_read = ?5, last_error = NULL
            WHERE batch_no = ?1
            """, commit.batch, now, commit.sinks.isEmpty ? now : nil, took, commit.rowsRead)
        try deliver(commit.batch, to: commit.sinks, stage: stage, in: connection)
        try connection.run(
            """
            UPDATE ledger_stages
            SET generated_cases = generated_cases + ?2, generation_us = generation_us + ?3
            WHERE stage_no = ?1
            """, stage, commit.cases.count, took)
    }
}

extension SQLiteLedger {
    fileprivate static func deliver(
        _ batch: Int64, to sinks: [String], stage: Int64, in connection: SQLiteConnection
    ) throws {
        for sink in sinks {
            try connection.run(
                "INSERT INTO ledger_deliveries(batch_no, sink, stage_no) VALUES(?1, ?2, ?3)", batch,
                sink, stage)
        }
    }

    public func end(
        _ ids: [UUID], as state: CaseState, reason: String, sinks: [String]
    ) async throws -> Int {
        precondition(state == .cancelled || state == .expired, "not \(state)")
        let registration = try await registered()
        let stage = registration.number
        let count = try await database.write { [clock, random] connection in
            let now = clock.timestamp
            let (snapshots, open) = try Self.look(at: ids, stage, now: now, in: connection)
            var ended = try Self.batches(of: open, stage: stage, in: connection)
            let pending = snapshots.values.filter { $0.state == .pending }.map(\.id)
            let waiting = try Self.takePending(pending, stage: stage, in: connection)
            if !waiting.isEmpty {
                // A batch of its own that is committed at once.
                let batch = try connection.first(
                    """
                    INSERT INTO ledger_batches(stage_no, cases, case_count, closed_by, revision,
                      sealed_at, committed_at, done_at)
                    VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7) RETURNING batch_no
                    """, stage, CaseNumbers.encode(waiting), waiting.count, state.rawValue,
                    registration.revision, now, sinks.isEmpty ? now : nil
                ) { $0.int64(0) }!
                try Self.deliver(batch, to: sinks, stage: stage, in: connection)
                ended += waiting.map { ($0, batch) }
            }
            let insert = try connection.statement(
                "INSERT INTO ledger_outcomes VALUES(?1, ?2, ?3, NULL, ?4, ?5, ?6, NULL)")
            for (number, batch) in ended {
                try insert.run(number, batch, now, random.uuid(), state.rawValue, reason)
            }
            return ended.count
        }
        if count > 0 { outcomesCommitted.send() }
        return count
    }

    /// The cases that are sealed or running, with their batches.
    private static func batches(
        of open: [Int64], stage: Int64, in connection: SQLiteConnection
    ) throws -> [(number: Int64, batch: Int64)] {
        if open.isEmpty { return [] }
        var found: [(number: Int64, batch: Int64)] = []
        try connection.forEach(
            """
            SELECT n.value, b.batch_no FROM ledger_batches b CROSS JOIN json_each(b.cases) n
            WHERE b.stage_no = ?1 AND b.committed_at IS NULL
              AND n.value IN (SELECT value FROM json_each(?2))
            """, stage, CaseNumbers.encode(open)
        ) { found.append(($0.int64(0), $0.int64(1))) }
        return found
    }

    /// Takes cases out of the open batch, and answers their numbers, in order.
    private static func takePending(
        _ ids: [UUID], stage: Int64, in connection: SQLiteConnection
    ) throws -> [Int64] {
        let find = try connection.statement(
            "SELECT case_no FROM ledger_cases WHERE id = ?1 AND stage_no = ?2 AND is_superseded = 0"
        )
        let delete = try connection.statement(
            "DELETE FROM ledger_pending WHERE stage_no = ?1 AND case_no = ?2")
        var cases: [Int64] = []
        for id in ids {
            guard let number = try find.first(id, stage, read: { $0.int64(0) }) else { continue }
            if try delete.run(stage, number) == 1 { cases.append(number) }
        }
        return cases.sorted()
    }

    public func purge(finishedBefore before: Timestamp) async throws -> Int? {
        let stage = try await registered().number
        return try await database.write { connection in
            let batch = try connection.first(
                """
                SELECT batch_no, cases, case_count FROM ledger_batches
                WHERE stage_no = ?1 AND done_at < ?2 ORDER BY done_at LIMIT 1
                """, stage, before
            ) { (number: $0.int64(0), cases: $0.text(1), count: $0.int(2)) }
            guard let batch else { return nil }
            for table in ["ledger_outcomes", "ledger_cases"] {
                try connection.run(
                    "DELETE FROM \(table) WHERE case_no IN (SELECT value FROM json_each(?1))",
                    batch.cases)
            }
            for table in ["ledger_deliveries", "ledger_batches"] {
                try connection.run("DELETE FROM \(table) WHERE batch_no = ?1", batch.number)
            }
            return batch.count
        }
    }
}
