internal import Ledger
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        if ids.isEmpty { return [:] }
        let stage = try await registered().number
        return try await database.read { [clock] connection in
            try Self.look(at: ids, stage, now: clock.timestamp, in: connection).snapshots
        }
    }

    /// What readers are told of the cases, and the numbers of those that are sealed or running.
    static func look(
        at ids: [UUID], _ stage: Int64, now: Timestamp, in connection: SQLiteConnection
    ) throws -> (snapshots: [UUID: CaseSnapshot], open: [Int64]) {
        var snapshots: [UUID: CaseSnapshot] = [:]
        var waiting: [UUID] = []
        var sealed: [(id: UUID, number: Int64)] = []
        // The ids are one blob, cut up here: SQLite 3.40 can't read hexadecimal digits in JSON.
        try connection.forEach(
            """
            WITH RECURSIVE n(i) AS (
              VALUES(1) UNION ALL SELECT i + 16 FROM n WHERE i + 16 <= length(?1))
            SELECT c.accepted_at, p.case_no IS NOT NULL, \(OutcomeRow.columns)
            FROM n CROSS JOIN ledger_cases c
              ON c.id = substr(?1, n.i, 16) AND c.stage_no = ?2 AND c.is_superseded = 0
            LEFT JOIN ledger_outcomes o ON o.case_no = c.case_no
            LEFT JOIN ledger_pending p ON p.stage_no = ?2 AND p.case_no = c.case_no
            """, ids.flatMap(\.bytes), stage
        ) { row in
            let snapshot = try snapshot(row)
            snapshots[snapshot.id] = snapshot
            if snapshot.state == .pending { waiting.append(snapshot.id) }
            if snapshot.state == .sealed { sealed.append((snapshot.id, row.int64(3))) }
        }
        for id in waiting {
            if let answered = try replayed(snapshots[id], stage, in: connection) {
                snapshots[id] = answered
            }
        }
        let running = try running(sealed.map(\.number), stage: stage, now: now, in: connection)
        var open: [Int64] = []
        for (id, number) in sealed {
            if let answered = try replayed(snapshots[id], stage, in: connection) {
                snapshots[id] = answered
                continue
            }
            if running.contains(number) { snapshots[id]?.state = .running }
            open.append(number)
        }
        return (snapshots, open)
    }

    public func list(_ listing: CaseListing) async throws -> [ListedCase] {
        let stage = try await registered().number
        return try await database.read { connection in
            var found: [ListedCase] = []
            let (beyond, order) = listing.isAscending ? (">", "ASC") : ("<", "DESC")
            try connection.forEach(
                """
                SELECT case_no, id, accepted_at, parameters FROM ledger_cases
                WHERE stage_no = ?1 AND is_superseded = 0
                  AND \(listing.requester == nil ? "?2 IS NULL" : "requester = ?2")
                  AND \(listing.after == nil ? "?3 IS NULL" : "case_no \(beyond) ?3")
                ORDER BY case_no \(order) LIMIT ?4
                """, stage, listing.requester, listing.after, listing.limit
            ) { row in
                found.append(
                    ListedCase(
                        number: row.int64(0), id: try row.id(1, of: row.int64(0)),
                        acceptedAt: Timestamp(microseconds: row.int64(2)),
                        parameters: row.blob(3)))
            }
            return found
        }
    }

    public func reopenable(of ids: [UUID]) async throws -> Set<UUID> {
        if ids.isEmpty { return [] }
        let stage = try await registered().number
        return try await database.read { connection in
            var found: Set<UUID> = []
            try connection.forEach(
                """
                WITH RECURSIVE n(i) AS (
                  VALUES(1) UNION ALL SELECT i + 16 FROM n WHERE i + 16 <= length(?1))
                SELECT substr(?1, n.i, 16) FROM n LEFT JOIN ledger_cases c
                  ON c.id = substr(?1, n.i, 16) AND c.stage_no = ?2 AND c.is_superseded = 0
                LEFT JOIN ledger_outcomes o ON o.case_no = c.case_no
                WHERE c.case_no IS NULL OR o.state <> 'succeeded'
                """, ids.flatMap(\.bytes), stage
            ) { row in if let id = row.uuid(0) { found.insert(id) } }
            return found
        }
    }

    /// Without the difference between sealed and running, which is the batch's.
    private static func snapshot(_ row: borrowing SQLiteRow) throws -> CaseSnapshot {
        let outcome = row.isNull(2) ? nil : try OutcomeRow.read(row, from: 2)
        let waiting: CaseState = row.int(1) == 1 ? .pending : .sealed
        return CaseSnapshot(
            id: try row.id(4, of: row.int64(3)), revision: row.int(13),
            state: outcome?.state ?? waiting,
            acceptedAt: Timestamp(microseconds: row.int64(0)),
            deadline: Timestamp(microseconds: row.int64(11)),
            requester: row.textOrNil(15), outcome: outcome)
    }

    /// What answers for a case without an outcome whose attempt before has succeeded: that, until
    /// the new outcome takes its place.
    private static func replayed(
        _ newest: CaseSnapshot?, _ stage: Int64, in connection: SQLiteConnection
    ) throws -> CaseSnapshot? {
        guard let newest, newest.revision > 1 else { return nil }
        var before = try connection.first(
            """
            SELECT c.accepted_at, 0, \(OutcomeRow.columns)
            FROM ledger_cases c CROSS JOIN ledger_outcomes o ON o.case_no = c.case_no
            WHERE c.id = ?1 AND c.stage_no = ?2 AND c.attempt = ?3 AND c.is_superseded = 1
              AND o.state = 'succeeded'
            ORDER BY c.case_no DESC LIMIT 1
            """, newest.id, stage, newest.revision - 1, read: snapshot)
        before?.revision = newest.revision
        return before
    }

    /// Which of these cases are in a batch under a living lease.
    private static func running(
        _ numbers: [Int64], stage: Int64, now: Timestamp, in connection: SQLiteConnection
    ) throws -> Set<Int64> {
        if numbers.isEmpty { return [] }
        var running: Set<Int64> = []
        try connection.forEach(
            """
            SELECT n.value FROM ledger_batches b CROSS JOIN json_each(b.cases) n
            WHERE b.stage_no = ?1 AND b.committed_at IS NULL AND b.worker IS NOT NULL
              AND b.available_at > ?2 AND n.value IN (SELECT value FROM json_each(?3))
            """, stage, now, CaseNumbers.encode(numbers)
        ) { running.insert($0.int64(0)) }
        return running
    }
}

/// An outcome (`o`) joined with its case (`c`), as columns.
enum OutcomeRow {
    static let columns = """
        o.outcome_id, c.case_no, c.id, o.batch_no, o.state, o.reason, o.report, o.data_as_of, \
        o.written_at, c.deadline, c.parameters, c.attempt, c.trace, c.requester
        """

    /// - Parameter first: the column at which ``columns`` begin.
    /// - Throws: retryable `store-damaged`.
    static func read(_ row: borrowing SQLiteRow, from first: Int) throws -> Outcome {
        Outcome(
            id: try row.id(first, of: row.int64(first + 1)), caseNumber: row.int64(first + 1),
            caseID: try row.id(first + 2, of: row.int64(first + 1)),
            revision: row.int(first + 11), batch: row.int64(first + 3),
            state: try row.state(first + 4, of: row.int64(first + 1)),
            reason: row.textOrNil(first + 5),
            report: row.isNull(first + 6) ? nil : row.blob(first + 6),
            dataAsOf: row.timestamp(first + 7),
            writtenAt: Timestamp(microseconds: row.int64(first + 8)),
            deadline: Timestamp(microseconds: row.int64(first + 9)),
            parameters: row.blob(first + 10), trace: row.trace(first + 12),
            requester: row.textOrNil(first + 13))
    }
}

extension SQLiteRow {
    /// An id that a case is known by.
    ///
    /// - Parameter number: the case's.
    /// - Throws: retryable `store-damaged` for anything else.
    func id(_ column: Int, of number: Int64) throws -> UUID {
        guard let id = uuid(column) else {
            throw PipelineError.damagedRow(of: "number \(number)", "an id of it is not one")
        }
        return id
    }

    func trace(_ column: Int) -> TraceContext? {
        textOrNil(column).flatMap { TraceContext($0) }
    }

    func state(_ column: Int, of number: Int64) throws -> CaseState {
        guard let state = CaseState(rawValue: text(column)) else {
            throw PipelineError.damagedRow(
                of: "number \(number)", "its state is \"\(text(column))\"")
        }
        return state
    }
}
