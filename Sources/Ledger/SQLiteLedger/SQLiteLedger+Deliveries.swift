public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func claimDelivery(
        sink: String, worker: String, lease: Duration
    ) async throws -> OutcomeBatch? {
        let stage = try await registered().number
        return try await database.write { [clock] connection in
            if try connection.isPaused(.delivery(sink), stage) { return nil }
            let now = clock.timestamp
            let claimed = try connection.first(
                """
                UPDATE ledger_deliveries SET token = token + 1, attempts = attempts + 1,
                  worker = ?3, available_at = ?5
                WHERE sink = ?2 AND batch_no = (
                  SELECT batch_no FROM ledger_deliveries
                  WHERE stage_no = ?1 AND sink = ?2 AND delivered_at IS NULL AND available_at <= ?4
                  ORDER BY batch_no LIMIT 1)
                RETURNING batch_no, token, attempts, only_parked
                """, stage, sink, worker, now, now.advanced(by: lease)
            ) {
                (
                    number: $0.int64(0), token: $0.int64(1), attempts: $0.int(2),
                    onlyParked: $0.int(3) == 1
                )
            }
            guard let claimed else { return nil }
            return OutcomeBatch(
                number: claimed.number, token: claimed.token, attempts: claimed.attempts,
                outcomes: try Self.outcomes(
                    of: claimed.number, dueTo: claimed.onlyParked ? sink : nil, in: connection))
        }
    }

    /// - Parameter sink: only those that are parked for it and due; all without it.
    private static func outcomes(
        of batch: Int64, dueTo sink: String?, in connection: SQLiteConnection
    ) throws -> [Outcome] {
        var outcomes: [Outcome] = []
        try connection.forEach(
            """
            SELECT \(OutcomeRow.columns)
            FROM ledger_batches b CROSS JOIN json_each(b.cases) n
            CROSS JOIN ledger_outcomes o ON o.case_no = n.value
            CROSS JOIN ledger_cases c ON c.case_no = n.value
            WHERE b.batch_no = ?1 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM ledger_parked k
              WHERE k.batch_no = ?1 AND k.sink = ?2 AND k.case_no = n.value AND k.is_due))
            """, batch, sink
        ) { outcomes.append(try OutcomeRow.read($0, from: 0)) }
        return outcomes
    }

    public func extendDelivery(
        batch: Int64, sink: String, token: Int64, lease: Duration
    ) async throws {
        let changed = try await database.write { [clock] connection in
            try connection.run(
                """
                UPDATE ledger_deliveries SET available_at = ?4
                WHERE batch_no = ?1 AND sink = ?2 AND token = ?3 AND delivered_at IS NULL
                """, batch, sink, token, clock.timestamp.advanced(by: lease))
        }
        if changed == 0 { throw Self.deliveryLost(batch, sink, token) }
    }

    public func releaseDelivery(
        batch: Int64, sink: String, token: Int64, after delay: Duration
    ) async throws {
        let changed = try await database.write { [clock] connection in
            try connection.run(
                """
                UPDATE ledger_deliveries
                SET worker = NULL, available_at = ?4, token = token + 1
                WHERE batch_no = ?1 AND sink = ?2 AND token = ?3 AND delivered_at IS NULL
                """, batch, sink, token, clock.timestamp.advanced(by: delay))
        }
        if changed == 0 { throw Self.deliveryLost(batch, sink, token) }
    }

    public func handBackDelivery(batch: Int64, sink: String, token: Int64) async throws {
        let changed = try await database.write { [clock] connection in
            try connection.run(
                """
                UPDATE ledger_deliveries
                SET worker = NULL, available_at = ?4, attempts = attempts - 1, token = token + 1
                WHERE batch_no = ?1 AND sink = ?2 AND token = ?3 AND delivered_at IS NULL
                """, batch, sink, token, clock.timestamp)
        }
        if changed == 0 { throw Self.deliveryLost(batch, sink, token) }
    }

    public func delivered(
        batch: Int64, sink: String, token: Int64, refused: [OutcomeRefusal]
    ) async throws {
        try await database.write { [clock] connection in
            let now = clock.timestamp
            let claimed = try connection.first(
                """
                SELECT delivered_at IS NOT NULL, stage_no FROM ledger_deliveries
                WHERE batch_no = ?1 AND sink = ?2 AND token = ?3
                """, batch, sink, token
            ) { (isDelivered: $0.int(0) == 1, stage: $0.int64(1)) }
            guard let claimed else { throw Self.deliveryLost(batch, sink, token) }
            // What is said a second time, after a lost answer, changes nothing.
            if claimed.isDelivered { return }
            let park = try connection.statement(
                """
                INSERT INTO ledger_parked(batch_no, sink, case_no, stage_no, code, reason, parked_at)
                VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET code = ?5,
                  reason = ?6, attempts = attempts + 1, is_due = 0
                """)
            for outcome in refused {
                try park.run(
                    batch, sink, outcome.caseNumber, claimed.stage, outcome.code.name,
                    outcome.reason,
                    now)
            }
            try connection.run(
                "DELETE FROM ledger_parked WHERE batch_no = ?1 AND sink = ?2 AND is_due",
                batch, sink)
            try connection.run(
                """
                UPDATE ledger_deliveries SET delivered_at = ?3, only_parked = 1
                WHERE batch_no = ?1 AND sink = ?2
                """, batch, sink, now)
            try Self.finish(batch, at: now, in: connection)
        }
    }

    private static func deliveryLost(_ batch: Int64, _ sink: String, _ token: Int64)
        -> PipelineError
    {
        leaseLost("the delivery of batch \(batch) to \(sink) under token \(token)")
    }
}

extension SQLiteLedger {
    /// The parked outcomes (`k`) that are meant, with their cases (`c`); parameters 1 to 7 are
    /// the stage and ``Choice``'s.
    private static let chosen = """
        ledger_parked k JOIN ledger_cases c ON c.case_no = k.case_no
        WHERE k.stage_no = ?1 AND (?2 IS NULL OR k.sink = ?2) AND (?3 IS NULL OR k.code = ?3)
        AND (?4 IS NULL OR hex(c.id) IN (SELECT value FROM json_each(?4)))
        AND (?5 IS NULL OR c.attempt = ?5)
        AND (?6 IS NULL OR k.parked_at >= ?6) AND (?7 IS NULL OR k.parked_at < ?7)
        """

    /// A selection as parameters.
    private struct Choice {
        let sink: String?
        let code: String?
        /// A JSON array of ids as SQLite's `hex` writes them.
        let cases: String?
        let revision: Int?
        let from: Timestamp?
        let before: Timestamp?

        init(_ selection: ParkedSelection) {
            sink = selection.sink
            code = selection.code
            revision = selection.revision
            from = selection.parkedFrom
            before = selection.parkedBefore
            cases = selection.cases.map { ids in
                let texts = ids.map { id in
                    "\"\(id.description.filter { $0 != "-" }.uppercased())\""
                }
                return "[\(texts.joined(separator: ","))]"
            }
        }
    }

    public func parked(
        _ selection: ParkedSelection, limit: Int
    ) async throws -> [ParkedOutcome] {
        let stage = try await registered().number
        let choice = Choice(selection)
        return try await database.read { connection in
            var found: [ParkedOutcome] = []
            try connection.forEach(
                """
                SELECT k.batch_no, k.sink, c.id, k.code, k.reason, k.attempts, k.parked_at,
                  k.is_due, (SELECT o.outcome_id FROM ledger_outcomes o WHERE o.case_no = k.case_no),
                  k.case_no, c.attempt
                FROM \(Self.chosen) AND (?8 IS NULL
                  OR (k.parked_at, k.batch_no, k.case_no, k.sink) > (?8, ?9, ?10, ?11))
                ORDER BY k.parked_at, k.batch_no, k.case_no, k.sink LIMIT ?12
                """, stage, choice.sink, choice.code, choice.cases, choice.revision, choice.from,
                choice.before, selection.after?.parkedAt, selection.after?.batch,
                selection.after?.number, selection.after?.sink, limit
            ) { row in
                found.append(
                    ParkedOutcome(
                        batch: row.int64(0), sink: row.text(1),
                        caseID: try row.id(2, of: row.int64(9)),
                        outcomeID: try row.id(8, of: row.int64(9)),
                        revision: row.int(10), number: row.int64(9),
                        code: ErrorCode(foreign: row.text(3)),
                        reason: row.text(4),
                        attempts: row.int(5), parkedAt: Timestamp(microseconds: row.int64(6)),
                        isDue: row.int(7) == 1))
            }
            return found
        }
    }

    public func parkedCounts() async throws -> [String: Int] {
        let stage = try await registered().number
        return try await database.read { connection in
            var counts: [String: Int] = [:]
            try connection.forEach(
                "SELECT sink, count(*) FROM ledger_parked WHERE stage_no = ?1 GROUP BY sink", stage
            ) { counts[$0.text(0)] = $0.int(1) }
            return counts
        }
    }

    public func replayParked(_ selection: ParkedSelection) async throws -> Int {
        let stage = try await registered().number
        let choice = Choice(selection)
        return try await database.write { [clock] connection in
            let deliveries = try Self.deliveries(
                "k.is_due = 0", of: choice, stage, in: connection)
            let count = try connection.run(
                """
                UPDATE ledger_parked SET is_due = 1 WHERE is_due = 0
                AND (batch_no, sink, case_no) IN (
                  SELECT k.batch_no, k.sink, k.case_no FROM \(Self.chosen))
                """, stage, choice.sink, choice.code, choice.cases, choice.revision, choice.from,
                choice.before)
            // A delivery that is being made meanwhile loses its lease: it does not know of these.
            for (batch, sink) in deliveries {
                try connection.run(
                    """
                    UPDATE ledger_deliveries SET delivered_at = NULL, token = token + 1,
                      attempts = 0, worker = NULL, available_at = 0
                    WHERE batch_no = ?1 AND sink = ?2
                    """, batch, sink)
            }
            try connection.run(
                """
                UPDATE ledger_deliveries SET available_at = 0
                WHERE stage_no = ?1 AND (?2 IS NULL OR sink = ?2) AND delivered_at IS NULL
                  AND worker IS NULL AND available_at > ?3
                """, stage, choice.sink, clock.timestamp)
            return count
        }
    }

    public func dropParked(_ selection: ParkedSelection) async throws -> Int {
        let stage = try await registered().number
        let choice = Choice(selection)
        return try await database.write { [clock] connection in
            let now = clock.timestamp
            let deliveries = try Self.deliveries("1", of: choice, stage, in: connection)
            let count = try connection.run(
                """
                DELETE FROM ledger_parked WHERE (batch_no, sink, case_no) IN (
                  SELECT k.batch_no, k.sink, k.case_no FROM \(Self.chosen))
                """, stage, choice.sink, choice.code, choice.cases, choice.revision, choice.from,
                choice.before)
            for (batch, sink) in deliveries {
                // Nothing of these is to be delivered again.
                try connection.run(
                    """
                    UPDATE ledger_deliveries SET delivered_at = ?3, token = token + 1, worker = NULL
                    WHERE batch_no = ?1 AND sink = ?2 AND only_parked AND delivered_at IS NULL
                      AND NOT EXISTS (SELECT 1 FROM ledger_parked
                        WHERE batch_no = ?1 AND sink = ?2 AND is_due)
                    """, batch, sink, now)
                try Self.finish(batch, at: now, in: connection)
            }
            return count
        }
    }

    /// The deliveries that chosen outcomes belong to.
    private static func deliveries(
        _ condition: String, of choice: Choice, _ stage: Int64, in connection: SQLiteConnection
    ) throws -> [(batch: Int64, sink: String)] {
        var found: [(batch: Int64, sink: String)] = []
        try connection.forEach(
            "SELECT DISTINCT k.batch_no, k.sink FROM \(chosen) AND \(condition)",
            stage, choice.sink, choice.code, choice.cases, choice.revision, choice.from,
            choice.before
        ) { found.append(($0.int64(0), $0.text(1))) }
        return found
    }

    /// Ends a batch for which nothing is left to be done.
    static func finish(
        _ batch: Int64, at now: Timestamp, in connection: SQLiteConnection
    ) throws {
        try connection.run(
            """
            UPDATE ledger_batches SET done_at = ?2 WHERE batch_no = ?1 AND done_at IS NULL
            AND NOT EXISTS (
              SELECT 1 FROM ledger_deliveries WHERE batch_no = ?1 AND delivered_at IS NULL)
            AND NOT EXISTS (SELECT 1 FROM ledger_parked WHERE batch_no = ?1)
            """, batch, now)
    }
}
