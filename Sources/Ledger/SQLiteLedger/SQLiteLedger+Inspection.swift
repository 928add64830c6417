public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func overview() async throws -> LedgerOverview {
        let registration = try await registered()
        return try await database.read { [clock] connection in
            let (stage, now) = (registration.number, clock.timestamp)
            let sealer = try Sealer(connection, registration, now: now)
            var overview = LedgerOverview(
                clock: now,
                open: try sealer.look(
                    countingTo: LedgerOverview.countBound, needsNewest: true),
                revision: sealer.revisionInForce, draining: sealer.draining)
            _ = try connection.first(
                """
                SELECT count(*) - sum(is_held), min(CASE WHEN NOT is_held THEN sealed_at END),
                  sum(is_held)
                FROM (
                  SELECT sealed_at, worker IS NOT NULL AND available_at > ?2 AS is_held
                  FROM ledger_batches WHERE stage_no = ?1 AND committed_at IS NULL)
                """, stage, now
            ) { row in
                overview.sealed = row.int(0)
                overview.oldestSealed = row.timestamp(1)
                overview.running = row.int(2)
            }
            try connection.forEach(
                """
                SELECT d.sink, count(*), min(b.committed_at)
                FROM ledger_deliveries d JOIN ledger_batches b ON b.batch_no = d.batch_no
                WHERE d.stage_no = ?1 AND d.delivered_at IS NULL GROUP BY d.sink
                """, stage
            ) { row in
                overview.undelivered[row.text(0)] = .init(
                    count: row.int(1), oldest: Timestamp(microseconds: row.int64(2)))
            }
            return overview
        }
    }

    public func batches(
        _ selection: BatchSelection, limit: Int
    ) async throws -> [BatchRecord] {
        let stage = try await registered().number
        return try await database.read { [clock] connection in
            try connection.batches(stage, selection, limit, now: clock.timestamp)
        }
    }

    public func history(of id: UUID) async throws -> CaseHistory? {
        let stage = try await registered().number
        return try await database.read { [clock] connection in
            var attempts: [CaseAttempt] = []
            try connection.forEach(
                """
                SELECT c.attempt, c.accepted_at, c.deadline, coalesce(o.batch_no, (
                    SELECT b.batch_no FROM ledger_batches b CROSS JOIN json_each(b.cases) n
                    WHERE o.case_no IS NULL AND b.stage_no = ?2 AND b.committed_at IS NULL
                      AND n.value = c.case_no LIMIT 1)),
                  o.outcome_id, o.written_at, o.data_as_of, o.reason, o.state, c.case_no,
                  c.trace
                FROM ledger_cases c LEFT JOIN ledger_outcomes o ON o.case_no = c.case_no
                WHERE c.id = ?1 AND c.stage_no = ?2 ORDER BY c.attempt
                """, id, stage
            ) { row in
                attempts.append(
                    CaseAttempt(
                        revision: row.int(0),
                        state: row.isNull(8) ? .pending : try row.state(8, of: row.int64(9)),
                        acceptedAt: Timestamp(microseconds: row.int64(1)),
                        deadline: Timestamp(microseconds: row.int64(2)),
                        batch: row.isNull(3) ? nil : row.int64(3), outcomeID: row.uuid(4),
                        writtenAt: row.timestamp(5), dataAsOf: row.timestamp(6),
                        reason: row.textOrNil(7), trace: row.trace(10)))
            }
            if attempts.isEmpty { return nil }
            let numbers = attempts.compactMap(\.batch)
            let batches = try connection.batches(
                stage, BatchSelection(numbers: numbers), numbers.count, now: clock.timestamp)
            attempts.settle(by: batches)
            return CaseHistory(id: id, attempts: attempts, batches: batches)
        }
    }
}

extension SQLiteLedger {
    public func pause(_ parts: Set<LedgerPart>, reason: String) async throws {
        let stage = try await registered().number
        try await database.write { [clock] connection in
            for part in parts {
                try connection.run(
                    "INSERT INTO ledger_pauses VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    stage, part.text, clock.timestamp, reason)
            }
        }
    }

    public func resume(_ parts: Set<LedgerPart>) async throws {
        let stage = try await registered().number
        try await database.write { connection in
            for part in parts {
                try connection.run(
                    "DELETE FROM ledger_pauses WHERE stage_no = ?1 AND part = ?2", stage, part.text)
            }
        }
    }

    public func pauses() async throws -> [LedgerPart: LedgerPause] {
        let stage = try await registered().number
        return try await database.read { try $0.pauses(of: stage) }
    }
}

extension SQLiteLedger {
    public func note(_ action: String, by actor: String) async throws {
        let stage = try await registered().number
        try await database.write { [clock] connection in
            try connection.note(action, by: actor, on: stage, at: clock.timestamp)
        }
    }

    public func changes(after number: Int64?, limit: Int) async throws -> [LedgerChange] {
        let stage = try await registered().number
        return try await database.read { connection in
            var changes: [LedgerChange] = []
            try connection.forEach(
                """
                SELECT change_no, at, actor, action FROM ledger_changes
                WHERE stage_no = ?1 AND change_no > ?2 ORDER BY change_no DESC LIMIT ?3
                """, stage, number ?? 0, limit
            ) { row in
                changes.append(
                    LedgerChange(
                        number: row.int64(0), at: Timestamp(microseconds: row.int64(1)),
                        actor: row.text(2), action: row.text(3)))
            }
            return changes.reversed()
        }
    }

    public func logPositions() async throws -> [LogPositions] {
        let stage = try await registered().number
        return try await database.read { connection in
            var logs: [LogPositions] = []
            try connection.forEach(
                """
                SELECT log, source, partition, next_offset FROM ledger_positions
                WHERE stage_no = ?1 AND log IS NOT NULL ORDER BY log, source, partition
                """, stage
            ) { logs.add($0.text(0), $0.text(1), Int32(clamping: $0.int64(2)), $0.int64(3)) }
            return logs
        }
    }
}

extension SQLiteConnection {
    func isPaused(_ part: LedgerPart, _ stage: Int64) throws -> Bool {
        try first(
            "SELECT 1 FROM ledger_pauses WHERE stage_no = ?1 AND part = ?2", stage, part.text
        ) { _ in true } ?? false
    }

    fileprivate func batches(
        _ stage: Int64, _ selection: BatchSelection, _ limit: Int, now: Timestamp
    ) throws -> [BatchRecord] {
        var batches: [BatchRecord] = []
        // A flat list of columns, read last: `cases` may lie in overflow pages.
        try forEach(
            """
            SELECT b.batch_no, b.case_count, b.closed_by, b.revision, b.sealed_at, b.worker,
              b.available_at, b.attempts, b.last_error, b.committed_at, b.took_us, b.rows_read,
              EXISTS (SELECT 1 FROM ledger_deliveries d
                WHERE d.batch_no = b.batch_no AND d.delivered_at IS NULL),
              (SELECT min(c.accepted_at) FROM json_each(b.cases) n
                CROSS JOIN ledger_cases c ON c.case_no = n.value),
              (SELECT min(c.deadline) FROM json_each(b.cases) n
                CROSS JOIN ledger_cases c ON c.case_no = n.value)
            FROM ledger_batches b
            WHERE b.stage_no = ?1
              AND (?2 IS NULL OR b.batch_no IN (SELECT value FROM json_each(?2)))
              AND (NOT ?3 OR b.committed_at IS NULL OR b.batch_no IN (
                SELECT d.batch_no FROM ledger_deliveries d
                WHERE d.stage_no = ?1 AND d.delivered_at IS NULL))
            ORDER BY b.batch_no DESC LIMIT ?4
            """, stage, selection.numbers.map(CaseNumbers.encode),
            selection.isUnfinishedOnly ? 1 : 0, limit
        ) { batches.append(Self.batch($0, now: now)) }
        for index in batches.indices {
            batches[index].deliveries = try deliveries(of: batches[index].number)
        }
        return batches
    }

    private static func batch(_ row: borrowing SQLiteRow, now: Timestamp) -> BatchRecord {
        let worker = row.textOrNil(5)
        let available = Timestamp(microseconds: row.int64(6))
        let isOpen = row.isNull(9)
        let isHeld = isOpen && worker != nil && available > now
        return BatchRecord(
            number: row.int64(0),
            state: isOpen ? (isHeld ? .running : .sealed) : row.int(12) == 1 ? .delivering : .done,
            cases: row.int(1), closedBy: row.text(2), revision: row.int64(3),
            sealedAt: Timestamp(microseconds: row.int64(4)), oldestAccepted: row.timestamp(13),
            earliestDeadline: row.timestamp(14), attempts: row.int(7), worker: worker,
            leaseUntil: isHeld ? available : nil,
            notBefore: isOpen && !isHeld && available > now ? available : nil,
            lastError: row.textOrNil(8), committedAt: row.timestamp(9),
            took: row.isNull(10) ? nil : .microseconds(row.int64(10)),
            rowsRead: row.isNull(11) ? nil : row.int64(11))
    }

    private func deliveries(of batch: Int64) throws -> [DeliveryRecord] {
        var deliveries: [DeliveryRecord] = []
        try forEach(
            """
            SELECT d.sink, d.delivered_at, d.attempts, d.worker, (
                SELECT count(*) FROM ledger_parked p
                WHERE p.batch_no = d.batch_no AND p.sink = d.sink)
            FROM ledger_deliveries d WHERE d.batch_no = ?1 ORDER BY d.sink
            """, batch
        ) { row in
            deliveries.append(
                DeliveryRecord(
                    sink: row.text(0), deliveredAt: row.timestamp(1), attempts: row.int(2),
                    worker: row.textOrNil(3), parked: row.int(4)))
        }
        return deliveries
    }
}

extension SQLiteConnection {
    func pauses(of stage: Int64) throws -> [LedgerPart: LedgerPause] {
        var pauses: [LedgerPart: LedgerPause] = [:]
        try forEach("SELECT part, since, reason FROM ledger_pauses WHERE stage_no = ?1", stage) {
            guard let part = LedgerPart(text: $0.text(0)) else { return }
            pauses[part] = LedgerPause(
                since: Timestamp(microseconds: $0.int64(1)), reason: $0.text(2))
        }
        return pauses
    }

    func note(_ action: String, by actor: String, on stage: Int64, at now: Timestamp) throws {
        try run(
            "INSERT INTO ledger_changes(stage_no, at, actor, action) VALUES(?1, ?2, ?3, ?4)",
            stage, now, actor, action)
    }
}
