public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func claimDelivery(
        sink: String, worker: String, lease: Duration
    ) async throws -> OutcomeBatch? {
        let stage = try await registered().number
        return try await database.write { [clock] connection in
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
