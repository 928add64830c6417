public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func end(_ ids: [UUID], as state: CaseState, reason: String) async throws -> Int {
        precondition(state == .cancelled || state == .expired, "not \(state)")
        let registration = try await registered()
        let stage = registration.number
        let count = try await database.write { [clock, random] connection in
            let cases = try Self.takePending(ids, stage: stage, in: connection)
            if cases.isEmpty { return 0 }
            let now = clock.timestamp
            // A batch of its own that is finished at once, so that purging finds it.
            let batch = try connection.first(
                """
                INSERT INTO ledger_batches(stage_no, cases, case_count, closed_by, revision,
                  sealed_at, committed_at, done_at)
                VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6) RETURNING batch_no
                """, stage, CaseNumbers.encode(cases), cases.count, state.rawValue,
                registration.revision, now
            ) { $0.int64(0) }!
            let insert = try connection.statement(
                "INSERT INTO ledger_outcomes VALUES(?1, ?2, ?3, NULL, ?4, ?5, ?6, NULL)")
            for number in cases {
                try insert.run(number, batch, now, random.uuid(), state.rawValue, reason)
            }
            return cases.count
        }
        if count > 0 { outcomesCommitted.ring() }
        return count
    }

    /// Takes those of the cases that wait out of the open batch.
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
        return cases
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
