internal import Calendar
internal import Concurrency
internal import Ledger
public import PipelineCore
internal import Postgres

extension PostgresLedger {
    public func claim(
        worker: String, lease: Duration, atMost limit: Int?
    ) async throws -> Batch? {
        let answer = try await claiming(
            .generation,
            """
            select batch_no, token, attempts, closed_by, sealed_at, case_no, key, deadline,
              parameters, accepted_at,
              (select trace from penstock.cases c where c.case_no = x.case_no)
            from penstock.claim($1, $2, $3 * interval '1 microsecond', $4::int) x
            """
        ) { parameters, stage in
            parameters.add(int2: stage)
            parameters.add(text: worker)
            parameters.add(int8: lease.wholeMicroseconds)
            parameters.add(int8: limit.map(Int64.init))
        }
        guard let answer, answer.rowCount > 0 else { return nil }
        return Batch(
            number: answer.int64(0, 0), token: answer.int64(0, 1), attempts: answer.int(0, 2),
            closedBy: answer.text(0, 3), sealedAt: answer.timestamp(0, 4),
            cases: (0..<answer.rowCount).map { row in
                Case(
                    number: answer.int64(row, 5), id: answer.uuid(row, 6),
                    acceptedAt: answer.timestamp(row, 9), deadline: answer.timestamp(row, 7),
                    parameters: answer.bytes(row, 8), trace: answer.trace(row, 10))
            })
    }

    public func extend(batch: Int64, token: Int64, lease: Duration) async throws {
        try await fenced(
            """
            update penstock.batches
            set lease_until = clock_timestamp() + $3 * interval '1 microsecond'
            where batch_no = $1 and token = $2 and committed_at is null
            """
        ) {
            $0.add(int8: batch)
            $0.add(int8: token)
            $0.add(int8: lease.wholeMicroseconds)
        }
    }

    public func commit(_ commit: BatchCommit) async throws -> Timestamp {
        let committedAt = try await withStage { connection, _ in
            try connection.query(
                "select penstock.commit_outcomes($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
            ) {
                $0.add(int8: commit.batch)
                $0.add(int8: commit.token)
                $0.add(timestamptz: commit.dataAsOf)
                $0.add(texts: commit.sinks)
                $0.add(int8s: commit.cases)
                $0.add(uuids: commit.outcomeIDs)
                $0.add(arrayOf: .char, commit.results) { $0.write(char: $1.state.letter) }
                $0.add(arrayOf: .text, commit.results) { $0.write(text: $1.reason) }
                $0.add(arrayOf: .bytea, commit.results) { $0.write(bytea: $1.report) }
                $0.add(float8: commit.took.inSeconds)
                $0.add(int8: commit.rowsRead)
            }.timestamp(0, 0)
        }
        outcomesCommitted.send()
        return committedAt
    }

    /// Ends the lease. The token is spent: a commit under it is refused.
    public func release(batch: Int64, token: Int64, after delay: Duration, reason: String)
        async throws
    {
        try await fenced(
            """
            update penstock.batches set token = token + 1, lease_until = null, last_error = $4,
              not_before = clock_timestamp() + $3 * interval '1 microsecond'
            where batch_no = $1 and token = $2 and committed_at is null
            """
        ) {
            $0.add(int8: batch)
            $0.add(int8: token)
            $0.add(int8: delay.wholeMicroseconds)
            $0.add(text: reason.storable)
        }
    }

    public func handBack(batch: Int64, token: Int64) async throws {
        try await fenced(
            """
            update penstock.batches set token = token + 1, attempts = attempts - 1, worker = null,
              lease_until = null
            where batch_no = $1 and token = $2 and committed_at is null
            """
        ) {
            $0.add(int8: batch)
            $0.add(int8: token)
        }
    }

    /// - Throws: `fatal` `batch-indivisible` for a batch of one case.
    public func bisect(batch: Int64, token: Int64) async throws {
        try await withStage { connection, _ in
            _ = try connection.query("select penstock.bisect($1, $2)") {
                $0.add(int8: batch)
                $0.add(int8: token)
            }
        }
    }

    public func refresh(_ ids: [UUID]) async throws -> Int {
        let sla = stage.sla.wholeMicroseconds
        return try await withStage { connection, stage in
            try connection.query(
                "select penstock.refresh_cases($1, $2, $3 * interval '1 microsecond')"
            ) {
                $0.add(int2: stage)
                $0.add(uuids: ids)
                $0.add(int8: sla)
            }.int(0, 0)
        }
    }

    public func replay(batch: Int64) async throws -> BatchReplay {
        let sla = stage.sla.wholeMicroseconds
        let found = try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select is_committed, batch_no, replayed, in_work, answered_since, ended
                from penstock.replay_batch($1, $2, $3 * interval '1 microsecond')
                """
            ) {
                $0.add(int2: stage)
                $0.add(int8: batch)
                $0.add(int8: sla)
            }
            if answer.isNull(0, 0) { return (isKnown: false, replay: nil as BatchReplay?) }
            guard answer.bool(0, 0) else { return (true, nil) }
            let replay = BatchReplay(
                batch: answer.int64OrNil(0, 1), replayed: answer.int(0, 2),
                inWork: answer.int(0, 3), answeredSince: answer.int(0, 4), ended: answer.int(0, 5))
            return (true, replay)
        }
        guard found.isKnown else { throw PipelineError.batchUnknown(batch, of: stage) }
        guard let replay = found.replay else { throw PipelineError.batchUnfinished(batch) }
        return replay
    }

    /// Runs an update that must touch one row.
    /// - Throws: `fenced` `lease-lost` when it touches none.
    func fenced(_ sql: String, bind: @escaping @Sendable (PostgresParameters) -> Void) async throws
    {
        try await withStage { connection, _ in
            guard try connection.query(sql, bind: bind).affectedRows == 1 else {
                throw LedgerError.leaseLost()
            }
        }
    }
}

extension CaseResult {
    fileprivate var state: CaseState {
        switch self {
        case .report: .succeeded
        case .failure: .failed
        }
    }

    fileprivate var reason: String? {
        switch self {
        case .report: nil
        case .failure(let code, let reason): "\(code): \(reason)".storable
        }
    }

    fileprivate var report: Bytes? {
        switch self {
        case .report(let bytes): bytes
        case .failure: nil
        }
    }
}

extension PostgresLedger {
    public func claimDelivery(sink: String, worker: String, lease: Duration) async throws
        -> OutcomeBatch?
    {
        let answer = try await claiming(
            .delivery(sink),
            """
            select batch_no, token, attempts, outcome_id, case_no, key, state, reason, report,
              data_as_of, written_at, deadline, parameters, attempt, c.trace, c.requester
            from penstock.claim_delivery($1, $2, $3, $4 * interval '1 microsecond') x
            left join lateral (
              select c.trace, c.requester from penstock.cases c where c.case_no = x.case_no
              limit 1) c on true
            """
        ) { parameters, stage in
            parameters.add(int2: stage)
            parameters.add(text: sink)
            parameters.add(text: worker)
            parameters.add(int8: lease.wholeMicroseconds)
        }
        guard let answer, answer.rowCount > 0 else { return nil }
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
                    deadline: answer.timestamp(row, 11), parameters: answer.bytes(row, 12),
                    trace: answer.trace(row, 14), requester: answer.textOrNil(row, 15))
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

extension PostgresResult {
    func trace(_ row: Int, _ column: Int) -> TraceContext? {
        textOrNil(row, column).flatMap { TraceContext($0) }
    }
}

extension String {
    /// PostgreSQL's text holds every character but one. For texts that are for people and may come
    /// from elsewhere.
    var storable: String { contains("\0") ? String(map { $0 == "\0" ? "\u{FFFD}" : $0 }) : self }
}
