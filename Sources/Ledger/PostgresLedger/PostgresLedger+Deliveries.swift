internal import Ledger
internal import Calendar
public import PipelineCore
internal import Postgres

extension PostgresLedger {
    public func claimDelivery(sink: String, worker: String, lease: Duration) async throws
        -> OutcomeBatch?
    {
        let answer = try await claiming(
            """
            select batch_no, token, attempts, outcome_id, case_no, key, state, reason, report,
              data_as_of, written_at, deadline, parameters, attempt
            from penstock.claim_delivery($1, $2, $3, $4 * interval '1 microsecond')
            """
        ) { parameters, stage in
            parameters.add(int2: stage)
            parameters.add(text: sink)
            parameters.add(text: worker)
            parameters.add(int8: lease.wholeMicroseconds)
        }
        if answer.rowCount == 0 { return nil }
        let number = answer.int64(0, 0)
        return OutcomeBatch(
            number: number, token: answer.int64(0, 1), attempts: answer.int(0, 2),
            outcomes: try (0..<answer.rowCount).map { row in
                let id = answer.uuid(row, 5)
                return Outcome(
                    id: answer.uuid(row, 3), caseNumber: answer.int64(row, 4), caseID: id,
                    revision: answer.int(row, 13), batch: number,
                    state: try CaseState(letter: answer.char(row, 6), of: id),
                    reason: answer.textOrNil(row, 7), report: answer.bytesOrNil(row, 8),
                    dataAsOf: answer.timestampOrNil(row, 9),
                    writtenAt: answer.timestamp(row, 10),
                    deadline: answer.timestamp(row, 11), parameters: answer.bytes(row, 12))
            })
    }

    public func extendDelivery(batch: Int64, sink: String, token: Int64, lease: Duration)
        async throws
    {
        try await fenced(
            """
            update penstock.deliveries
            set lease_until = clock_timestamp() + $4 * interval '1 microsecond'
            where batch_no = $1 and sink = $2 and token = $3 and delivered_at is null
            """
        ) {
            $0.add(int8: batch)
            $0.add(text: sink)
            $0.add(int8: token)
            $0.add(int8: lease.wholeMicroseconds)
        }
    }

    /// The same mark repeated (a lost answer) succeeds again.
    public func delivered(
        batch: Int64, sink: String, token: Int64, refused: [OutcomeRefusal]
    ) async throws {
        let isOurs = try await withStage { connection, _ in
            try connection.query("select penstock.delivered($1, $2, $3, $4, $5, $6)") {
                $0.add(int8: batch)
                $0.add(text: sink)
                $0.add(int8: token)
                $0.add(int8s: refused.map(\.caseNumber))
                $0.add(texts: refused.map(\.code.name))
                $0.add(texts: refused.map(\.reason.storable))
            }.bool(0, 0)
        }
        if !isOurs { throw LedgerError.leaseLost() }
    }

    public func handBackDelivery(batch: Int64, sink: String, token: Int64) async throws {
        try await fenced(
            """
            update penstock.deliveries set token = token + 1, attempts = attempts - 1,
              worker = null, lease_until = null
            where batch_no = $1 and sink = $2 and token = $3 and delivered_at is null
            """
        ) {
            $0.add(int8: batch)
            $0.add(text: sink)
            $0.add(int8: token)
        }
    }

    public func releaseDelivery(batch: Int64, sink: String, token: Int64, after delay: Duration)
        async throws
    {
        try await fenced(
            """
            update penstock.deliveries set token = token + 1, lease_until = null,
              not_before = clock_timestamp() + $4 * interval '1 microsecond'
            where batch_no = $1 and sink = $2 and token = $3 and delivered_at is null
            """
        ) {
            $0.add(int8: batch)
            $0.add(text: sink)
            $0.add(int8: token)
            $0.add(int8: delay.wholeMicroseconds)
        }
    }
}

extension String {
    /// PostgreSQL's text holds every character but one. For texts that are for people and may come
    /// from elsewhere.
    var storable: String { contains("\0") ? String(map { $0 == "\0" ? "\u{FFFD}" : $0 }) : self }
}
