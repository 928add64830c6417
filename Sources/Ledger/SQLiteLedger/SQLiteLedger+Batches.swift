internal import Ledger
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func claim(worker: String, lease: Duration) async throws -> Batch? {
        let stage = try await registered().number
        return try await database.write { [clock] connection in
            if try connection.isPaused(.generation, stage) { return nil }
            let now = clock.timestamp
            let claimed = try connection.first(
                """
                UPDATE ledger_batches
                SET token = token + 1, attempts = attempts + 1, worker = ?2, available_at = ?4
                WHERE batch_no = (
                  SELECT batch_no FROM ledger_batches
                  WHERE stage_no = ?1 AND committed_at IS NULL AND available_at <= ?3
                  ORDER BY batch_no LIMIT 1)
                RETURNING batch_no, token, attempts, closed_by, sealed_at, cases
                """, stage, worker, now, now.advanced(by: lease)
            ) { row in
                (
                    batch: Batch(
                        number: row.int64(0), token: row.int64(1), attempts: row.int(2),
                        closedBy: row.text(3), sealedAt: Timestamp(microseconds: row.int64(4)),
                        cases: []), cases: row.text(5)
                )
            }
            guard let claimed else { return nil }
            var batch = claimed.batch
            batch.cases = try Self.cases(claimed.cases, in: connection)
            return batch
        }
    }

    /// The cases of these numbers, in that order; their parameters share one array.
    private static func cases(
        _ numbers: String, in connection: SQLiteConnection
    ) throws -> [Case] {
        var parameters: [UInt8] = []
        var rows: [(case: Case, parameters: Range<Int>)] = []
        // CROSS JOIN keeps SQLite from turning the loops round.
        try connection.forEach(
            """
            SELECT c.case_no, c.id, c.deadline, c.parameters, c.accepted_at, c.trace
            FROM json_each(?1) n CROSS JOIN ledger_cases c ON c.case_no = n.value
            """, numbers
        ) { row in
            let found = Case(
                number: row.int64(0), id: try row.id(1, of: row.int64(0)),
                acceptedAt: row.timestamp(4), deadline: Timestamp(microseconds: row.int64(2)),
                parameters: [], trace: row.trace(5))
            rows.append((found, row.append(3, to: &parameters)))
        }
        return rows.map { row in
            var found = row.case
            found.parameters = parameters[row.parameters]
            return found
        }
    }

    public func extend(batch: Int64, token: Int64, lease: Duration) async throws {
        try await change(batch, token: token) { [clock] connection in
            try connection.run(
                """
                UPDATE ledger_batches SET available_at = ?3
                WHERE batch_no = ?1 AND token = ?2 AND committed_at IS NULL
                """, batch, token, clock.timestamp.advanced(by: lease))
        }
    }

    public func release(
        batch: Int64, token: Int64, after delay: Duration, reason: String
    ) async throws {
        // A new token, so that whoever gave the batch back can't commit it any more.
        try await change(batch, token: token) { [clock] connection in
            try connection.run(
                """
                UPDATE ledger_batches
                SET worker = NULL, available_at = ?3, last_error = ?4, token = token + 1
                WHERE batch_no = ?1 AND token = ?2 AND committed_at IS NULL
                """, batch, token, clock.timestamp.advanced(by: delay), reason)
        }
    }

    public func handBack(batch: Int64, token: Int64) async throws {
        try await change(batch, token: token) { [clock] connection in
            try connection.run(
                """
                UPDATE ledger_batches
                SET worker = NULL, available_at = ?3, attempts = attempts - 1, token = token + 1
                WHERE batch_no = ?1 AND token = ?2 AND committed_at IS NULL
                """, batch, token, clock.timestamp)
        }
    }

    /// - Throws: `fatal` `batch-indivisible` for a batch of one case.
    public func bisect(batch: Int64, token: Int64) async throws {
        try await change(batch, token: token) { connection in
            let stored = try connection.first(
                """
                SELECT cases FROM ledger_batches
                WHERE batch_no = ?1 AND token = ?2 AND committed_at IS NULL
                """, batch, token
            ) { CaseNumbers.decode($0.text(0)) }
            guard let cases = stored else { return 0 }
            guard cases.count > 1 else {
                throw PipelineError.fatal(
                    .batchIndivisible, "batch \(batch) has one case: it can't be divided")
            }
            let middle = (cases.count + 1) / 2
            for half in [cases[..<middle], cases[middle...]] {
                try connection.run(
                    """
                    INSERT INTO ledger_batches(
                      stage_no, cases, case_count, closed_by, revision, sealed_at, last_error)
                    SELECT stage_no, ?2, ?3, closed_by, revision, sealed_at, last_error
                    FROM ledger_batches WHERE batch_no = ?1
                    """, batch, CaseNumbers.encode(half), half.count)
            }
            return try connection.run("DELETE FROM ledger_batches WHERE batch_no = ?1", batch)
        }
    }

    /// Runs a change of one batch; it answers 0 when the token is not the batch's any more.
    private func change(
        _ batch: Int64, token: Int64, _ body: @escaping @Sendable (SQLiteConnection) throws -> Int
    ) async throws {
        let changed = try await database.write(body)
        guard changed > 0 else { throw Self.leaseLost("batch \(batch) under token \(token)") }
    }
}

/// Case numbers as a JSON array: the form in which SQLite can join them (`json_each`).
enum CaseNumbers {
    static func encode(_ numbers: some Collection<Int64>) -> String {
        var text = "["
        text.reserveCapacity(numbers.count * 10 + 2)
        for number in numbers {
            if text.utf8.count > 1 { text += "," }
            text += String(number)
        }
        return text + "]"
    }

    /// Reads what ``encode(_:)`` has written.
    static func decode(_ text: String) -> [Int64] {
        var numbers: [Int64] = []
        var number: Int64?
        for byte in text.utf8 {
            if byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") {
                number = (number ?? 0) * 10 + Int64(byte - UInt8(ascii: "0"))
            } else if let complete = number {
                numbers.append(complete)
                number = nil
            }
        }
        return numbers
    }
}
