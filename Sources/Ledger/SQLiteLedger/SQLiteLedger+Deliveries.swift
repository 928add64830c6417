internal import Ledger
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
                UPDATE ledger_deliveries SET token = token + 1, worker = ?3, available_at = ?5
                WHERE sink = ?2 AND batch_no = (
                  SELECT batch_no FROM ledger_deliveries
                  WHERE stage_no = ?1 AND sink = ?2 AND delivered_at IS NULL AND available_at <= ?4
                  ORDER BY batch_no LIMIT 1)
                RETURNING batch_no, token
                """, stage, sink, worker, now, now.advanced(by: lease)
            ) { (number: $0.int64(0), token: $0.int64(1)) }
            guard let claimed else { return nil }
            return OutcomeBatch(
                number: claimed.number, token: claimed.token,
                outcomes: try Self.outcomes(of: claimed.number, in: connection))
        }
    }

    private static func outcomes(
        of batch: Int64, in connection: SQLiteConnection
    ) throws -> [Outcome] {
        var outcomes: [Outcome] = []
        try connection.forEach(
            """
            SELECT \(OutcomeRow.columns)
            FROM ledger_batches b CROSS JOIN json_each(b.cases) n
            CROSS JOIN ledger_outcomes o ON o.case_no = n.value
            CROSS JOIN ledger_cases c ON c.case_no = n.value
            WHERE b.batch_no = ?1
            """, batch
        ) { outcomes.append(OutcomeRow.read($0, from: 0)) }
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

    public func delivered(batch: Int64, sink: String, token: Int64) async throws {
        try await database.write { [clock] connection in
            let now = clock.timestamp
            // The first time stays when a lost answer makes somebody repeat it.
            let changed = try connection.run(
                """
                UPDATE ledger_deliveries SET delivered_at = ifnull(delivered_at, ?4)
                WHERE batch_no = ?1 AND sink = ?2 AND token = ?3
                """, batch, sink, token, now)
            if changed == 0 { throw Self.deliveryLost(batch, sink, token) }
            try connection.run(
                """
                UPDATE ledger_batches SET done_at = ?2 WHERE batch_no = ?1 AND done_at IS NULL
                AND NOT EXISTS (
                  SELECT 1 FROM ledger_deliveries WHERE batch_no = ?1 AND delivered_at IS NULL)
                """, batch, now)
        }
    }

    private static func deliveryLost(_ batch: Int64, _ sink: String, _ token: Int64)
        -> PipelineError
    {
        leaseLost("the delivery of batch \(batch) to \(sink) under token \(token)")
    }
}
