internal import Ledger
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func replay(batch number: Int64) async throws -> BatchReplay {
        let registration = try await registered()
        return try await database.write { [clock, stage] connection in
            let found = try connection.first(
                """
                SELECT committed_at IS NOT NULL, cases FROM ledger_batches
                WHERE batch_no = ?1 AND stage_no = ?2
                """, number, registration.number
            ) { (isCommitted: $0.int(0) == 1, cases: CaseNumbers.decode($0.text(1))) }
            guard let found else { throw PipelineError.batchUnknown(number, of: stage) }
            guard found.isCommitted else { throw PipelineError.batchUnfinished(number) }
            var replayer = Replayer(connection, registration.number)
            for number in found.cases { try replayer.sort(number) }
            let now = clock.timestamp
            return try replayer.seal(at: now, due: now.advanced(by: stage.sla))
        }
    }
}

extension SQLiteLedger {
    public func refresh(_ ids: [UUID]) async throws -> Int {
        if ids.isEmpty { return 0 }
        let number = try await registered().number
        return try await database.write { [clock, stage] connection in
            let find = try connection.statement(
                """
                SELECT c.case_no FROM ledger_cases c CROSS JOIN ledger_outcomes o USING(case_no)
                WHERE c.id = ?1 AND c.stage_no = ?2 AND c.is_superseded = 0
                """)
            var finished: [Int64] = []
            for id in Set(ids) {
                if let found = try find.first(id, number, read: { $0.int64(0) }) {
                    finished.append(found)
                }
            }
            let now = clock.timestamp
            let numbers = try connection.reopen(
                finished, at: now, due: now.advanced(by: stage.sla))
            for number in numbers {
                try connection.run(
                    """
                    INSERT INTO ledger_pending(stage_no, case_no, deadline, accepted_at)
                    SELECT stage_no, case_no, deadline, accepted_at FROM ledger_cases
                    WHERE case_no = ?1
                    """, number)
            }
            return numbers.count
        }
    }
}

extension SQLiteConnection {
    /// Makes the next attempts of cases, and answers their numbers.
    fileprivate func reopen(
        _ chosen: [Int64], at now: Timestamp, due deadline: Timestamp
    ) throws -> [Int64] {
        let first = try self.first("SELECT next_case FROM ledger_numbers") { $0.int64(0) }!
        let supersede = try statement(
            "UPDATE ledger_cases SET is_superseded = 1 WHERE case_no = ?1")
        let insert = try statement(
            """
            INSERT INTO ledger_cases(
              case_no, stage_no, accepted_at, deadline, id, digest, parameters, trace, requester,
              attempt)
            SELECT ?2, stage_no, ?3, ?4, id, digest, parameters, trace, requester, attempt + 1
            FROM ledger_cases WHERE case_no = ?1
            """)
        let numbers = Array(first..<first + Int64(chosen.count))
        for (old, new) in zip(chosen, numbers) {
            try supersede.run(old)
            try insert.run(old, new, now, deadline)
        }
        try run("UPDATE ledger_numbers SET next_case = ?1", first + Int64(chosen.count))
        return numbers
    }
}

/// Opens a batch's cases again, inside a write transaction.
private struct Replayer {
    private let connection: SQLiteConnection
    private let stage: Int64
    private var replay = BatchReplay()
    /// Case numbers of the batch's attempts.
    private var chosen: [Int64] = []

    init(_ connection: SQLiteConnection, _ stage: Int64) {
        self.connection = connection
        self.stage = stage
    }

    mutating func sort(_ number: Int64) throws {
        let newest = try connection.first(
            """
            SELECT n.case_no, o.state FROM ledger_cases c
            CROSS JOIN ledger_cases n
              ON n.id = c.id AND n.stage_no = c.stage_no AND n.is_superseded = 0
            LEFT JOIN ledger_outcomes o ON o.case_no = n.case_no
            WHERE c.case_no = ?1
            """, number
        ) { row in
            (
                number: row.int64(0),
                state: row.isNull(1) ? nil : try row.state(1, of: row.int64(0))
            )
        }
        // Its later attempt may have been purged before it.
        guard let newest, newest.number == number else {
            let isInWork = newest.map { $0.state == nil } ?? false
            if isInWork { replay.inWork += 1 } else { replay.answeredSince += 1 }
            return
        }
        switch newest.state {
        case .succeeded, .failed: chosen.append(number)
        case .cancelled, .expired: replay.ended += 1
        case .pending, .sealed, .running, nil: replay.inWork += 1
        }
    }

    /// Seals the next attempts of the chosen cases as one batch.
    mutating func seal(at now: Timestamp, due deadline: Timestamp) throws -> BatchReplay {
        if chosen.isEmpty { return replay }
        let numbers = try connection.reopen(chosen, at: now, due: deadline)
        replay.replayed = chosen.count
        replay.batch = try connection.first(
            """
            INSERT INTO ledger_batches(stage_no, cases, case_count, closed_by, revision, sealed_at)
            SELECT ?1, ?2, ?3, ?4, revision, ?5 FROM ledger_stages WHERE stage_no = ?1
            RETURNING batch_no
            """, stage, CaseNumbers.encode(numbers), numbers.count, BatchReplay.closedBy, now
        ) { $0.int64(0) }
        return replay
    }
}
