public import PipelineCore
internal import Postgres

extension PostgresLedger {
    public func overview() async throws -> LedgerOverview {
        try await withStage(for: .reading) { connection, stage in
            let answer = try connection.query(
                """
                select \(PostgresResult.openBatchColumns), sealed, oldest_sealed, running
                from penstock.open_batch($1, $2, true) o
                cross join lateral (
                  select count(*) filter (where not x.is_held) sealed,
                    min(x.sealed_at) filter (where not x.is_held) oldest_sealed,
                    count(*) filter (where x.is_held) running
                  from (
                    select sealed_at, coalesce(lease_until > clock_timestamp(), false) is_held
                    from penstock.batches where stage = $1 and committed_at is null) x) b
                """
            ) {
                $0.add(int2: stage)
                $0.add(int4: Int32(LedgerOverview.countBound))
            }
            return LedgerOverview(
                clock: answer.timestamp(0, 3), open: answer.openBatch,
                revision: answer.int64(0, 7), draining: answer.textOrNil(0, 6),
                sealed: answer.int(0, 9), oldestSealed: answer.timestampOrNil(0, 10),
                running: answer.int(0, 11), undelivered: try connection.undelivered(stage))
        }
    }

    public func batches(
        _ selection: BatchSelection, limit: Int
    ) async throws -> [BatchRecord] {
        try await withStage(for: .reading) { connection, stage in
            try connection.batches(stage, selection, limit)
        }
    }

    public func history(of id: UUID) async throws -> CaseHistory? {
        try await withStage(for: .reading) { connection, stage in
            let answer = try connection.query(
                """
                select c.attempt, c.accepted_at, c.deadline, coalesce(o.batch_no, b.batch_no),
                  o.outcome_id, o.written_at, o.data_as_of, o.reason, o.state, c.trace
                from penstock.cases c
                left join penstock.outcomes o on o.case_no = c.case_no
                left join lateral (
                  select batch_no from penstock.batches b
                  where o.case_no is null and b.stage = $1 and b.committed_at is null
                    and c.case_no = any(b.cases) limit 1) b on true
                where c.key = $2 and c.stage = $1 order by c.attempt
                """
            ) {
                $0.add(int2: stage)
                $0.add(uuid: id)
            }
            if answer.rowCount == 0 { return nil }
            var attempts = try (0..<answer.rowCount).map { row in
                CaseAttempt(
                    revision: answer.int(row, 0),
                    state: answer.uuidOrNil(row, 4) == nil
                        ? .pending : try CaseState(letter: answer.char(row, 8), of: id),
                    acceptedAt: answer.timestamp(row, 1), deadline: answer.timestamp(row, 2),
                    batch: answer.int64OrNil(row, 3), outcomeID: answer.uuidOrNil(row, 4),
                    writtenAt: answer.timestampOrNil(row, 5),
                    dataAsOf: answer.timestampOrNil(row, 6), reason: answer.textOrNil(row, 7),
                    trace: answer.trace(row, 9))
            }
            let numbers = attempts.compactMap(\.batch)
            let batches = try connection.batches(
                stage, BatchSelection(numbers: numbers), numbers.count)
            attempts.settle(by: batches)
            return CaseHistory(id: id, attempts: attempts, batches: batches)
        }
    }
}

extension PostgresLedger {
    public func pause(_ parts: Set<LedgerPart>, reason: String) async throws {
        try await withStage { connection, stage in
            _ = try connection.query(
                """
                insert into penstock.pauses(stage, part, reason)
                select $1, part, $3 from unnest($2) part on conflict do nothing
                """
            ) {
                $0.add(int2: stage)
                $0.add(texts: parts.map(\.text))
                $0.add(text: reason.storable)
            }
        }
    }

    public func resume(_ parts: Set<LedgerPart>) async throws {
        try await withStage { connection, stage in
            _ = try connection.query(
                "delete from penstock.pauses where stage = $1 and part = any($2)"
            ) {
                $0.add(int2: stage)
                $0.add(texts: parts.map(\.text))
            }
        }
    }

    public func pauses() async throws -> [LedgerPart: LedgerPause] {
        try await withStage(for: .reading) { try $0.pauses(of: $1) }
    }
}

extension PostgresLedger {
    public func note(_ action: String, by actor: String) async throws {
        try await withStage { try $0.note(action, by: actor, on: $1) }
    }

    public func changes(after number: Int64?, limit: Int) async throws -> [LedgerChange] {
        try await withStage(for: .reading) { connection, stage in
            let answer = try connection.query(
                """
                select change_no, at, actor, action from penstock.changes
                where stage = $1 and change_no > $2 order by change_no desc limit $3
                """
            ) {
                $0.add(int2: stage)
                $0.add(int8: number ?? 0)
                $0.add(int8: Int64(limit))
            }
            return (0..<answer.rowCount).reversed().map { row in
                LedgerChange(
                    number: answer.int64(row, 0), at: answer.timestamp(row, 1),
                    actor: answer.text(row, 2), action: answer.text(row, 3))
            }
        }
    }

    public func logPositions() async throws -> [LogPositions] {
        try await withStage(for: .reading) { connection, stage in
            let answer = try connection.query(
                """
                select log, source, part, next_offset from penstock.positions
                where stage = $1 and log is not null order by log, source, part
                """
            ) { $0.add(int2: stage) }
            var logs: [LogPositions] = []
            for row in 0..<answer.rowCount {
                logs.add(
                    answer.text(row, 0), answer.text(row, 1), Int32(answer.int(row, 2)),
                    answer.int64(row, 3))
            }
            return logs
        }
    }
}

extension PostgresConnection {
    func isPaused(_ part: LedgerPart, _ stage: Int16) throws -> Bool {
        try query(
            "select exists (select from penstock.pauses where stage = $1 and part = $2)"
        ) {
            $0.add(int2: stage)
            $0.add(text: part.text)
        }.bool(0, 0)
    }

    fileprivate func undelivered(_ stage: Int16) throws -> [String: LedgerOverview.Waiting] {
        let answer = try query(
            """
            select d.sink, count(*), min(b.committed_at)
            from penstock.deliveries d join penstock.batches b on b.batch_no = d.batch_no
            where d.stage = $1 and d.delivered_at is null group by d.sink
            """
        ) { $0.add(int2: stage) }
        return Dictionary(
            uniqueKeysWithValues: (0..<answer.rowCount).map { row in
                (
                    answer.text(row, 0),
                    .init(count: answer.int(row, 1), oldest: answer.timestamp(row, 2))
                )
            })
    }

    fileprivate func batches(
        _ stage: Int16, _ selection: BatchSelection, _ limit: Int
    ) throws -> [BatchRecord] {
        let answer = try query(
            """
            select b.batch_no, cardinality(b.cases), b.closed_by, b.revision, b.sealed_at,
              b.worker, case when b.lease_until > clock_timestamp() then b.lease_until end,
              case when b.not_before > clock_timestamp() then b.not_before end, b.attempts,
              b.last_error, b.committed_at, b.seconds, b.rows_read, c.oldest, c.earliest,
              exists (select from penstock.deliveries d
                where d.batch_no = b.batch_no and d.delivered_at is null)
            from penstock.batches b
            cross join lateral (
              select min(c.accepted_at) oldest, min(c.deadline) earliest
              from penstock.cases c where c.case_no = any(b.cases)) c
            where b.stage = $1 and ($2 is null or b.batch_no = any($2))
              and (not $3 or b.committed_at is null or b.batch_no in (
                select d.batch_no from penstock.deliveries d
                where d.stage = $1 and d.delivered_at is null))
            order by b.batch_no desc limit $4
            """
        ) {
            $0.add(int2: stage)
            $0.add(int8sOrNull: selection.numbers)
            $0.add(bool: selection.isUnfinishedOnly)
            $0.add(int8: Int64(limit))
        }
        let deliveries = try deliveries(of: (0..<answer.rowCount).map { answer.int64($0, 0) })
        return (0..<answer.rowCount).map { row in
            let (committedAt, lease) = (
                answer.timestampOrNil(row, 10), answer.timestampOrNil(row, 6)
            )
            let isOpen = committedAt == nil
            return BatchRecord(
                number: answer.int64(row, 0),
                state: isOpen
                    ? (lease == nil ? .sealed : .running)
                    : (answer.bool(row, 15) ? .delivering : .done),
                cases: answer.int(row, 1), closedBy: answer.text(row, 2),
                revision: answer.int64(row, 3), sealedAt: answer.timestamp(row, 4),
                oldestAccepted: answer.timestampOrNil(row, 13),
                earliestDeadline: answer.timestampOrNil(row, 14), attempts: answer.int(row, 8),
                worker: answer.textOrNil(row, 5), leaseUntil: isOpen ? lease : nil,
                notBefore: isOpen && lease == nil ? answer.timestampOrNil(row, 7) : nil,
                lastError: answer.textOrNil(row, 9), committedAt: committedAt,
                took: answer.doubleOrNil(row, 11).map { .seconds($0) },
                rowsRead: answer.int64OrNil(row, 12),
                deliveries: deliveries[answer.int64(row, 0)] ?? [])
        }
    }

    private func deliveries(of batches: [Int64]) throws -> [Int64: [DeliveryRecord]] {
        let answer = try query(
            """
            select d.batch_no, d.sink, d.delivered_at, d.attempts, d.worker, (
                select count(*) from penstock.parked p
                where p.batch_no = d.batch_no and p.sink = d.sink)
            from penstock.deliveries d where d.batch_no = any($1) order by d.sink
            """
        ) { $0.add(int8s: batches) }
        var deliveries: [Int64: [DeliveryRecord]] = [:]
        for row in 0..<answer.rowCount {
            deliveries[answer.int64(row, 0), default: []].append(
                DeliveryRecord(
                    sink: answer.text(row, 1), deliveredAt: answer.timestampOrNil(row, 2),
                    attempts: answer.int(row, 3), worker: answer.textOrNil(row, 4),
                    parked: answer.int(row, 5)))
        }
        return deliveries
    }
}

extension PostgresConnection {
    func pauses(of stage: Int16) throws -> [LedgerPart: LedgerPause] {
        let answer = try query(
            "select part, since, reason from penstock.pauses where stage = $1"
        ) { $0.add(int2: stage) }
        var pauses: [LedgerPart: LedgerPause] = [:]
        for row in 0..<answer.rowCount {
            guard let part = LedgerPart(text: answer.text(row, 0)) else { continue }
            pauses[part] = LedgerPause(
                since: answer.timestamp(row, 1), reason: answer.text(row, 2))
        }
        return pauses
    }

    func note(_ action: String, by actor: String, on stage: Int16) throws {
        try query("insert into penstock.changes(stage, actor, action) values ($1, $2, $3)") {
            $0.add(int2: stage)
            $0.add(text: actor.storable)
            $0.add(text: action.storable)
        }
    }
}
