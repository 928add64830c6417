internal import Ledger
public import PipelineCore
internal import SQLite

extension SQLiteLedger {
    public func accept(_ submissions: Submissions) async throws -> Acceptance {
        let number = try await registered().number
        do {
            return try await database.write { [clock, stage] connection in
                var acceptor = Acceptor(
                    connection, stage: number, now: clock.timestamp, sla: stage.sla)
                try acceptor.advance(submissions.advances)
                return .accepted(try acceptor.insert(submissions))
            }
        } catch let found as ConflictsFound {
            return .conflicts(found.indices)
        }
    }
}

/// Rolls the transaction back: a chunk with conflicts is written not at all.
private struct ConflictsFound: Error {
    var indices: [Int]
}

/// Takes in one chunk, inside a write transaction.
private struct Acceptor {
    private let connection: SQLiteConnection
    private let stage: Int64
    private let now: Timestamp
    private let sla: Duration
    private var counts = AcceptedCounts(new: 0, reopened: 0, repeated: 0)
    private var nextCase: Int64 = 0
    private var conflicts: [Int] = []

    init(_ connection: SQLiteConnection, stage: Int64, now: Timestamp, sla: Duration) {
        self.connection = connection
        self.stage = stage
        self.now = now
        self.sla = sla
    }

    /// - Throws: `fenced` `position-moved`.
    func advance(_ steps: [PositionAdvance]) throws {
        if steps.isEmpty { return }
        let update = try connection.statement(
            """
            UPDATE ledger_positions SET next_offset = ?5
            WHERE stage_no = ?1 AND source = ?2 AND partition = ?3 AND next_offset = ?4
            """)
        for step in steps {
            let changed = try update.run(
                stage, step.source, step.partition, step.expected, step.next)
            guard changed == 1 else {
                throw PipelineError.fenced(
                    .positionMoved,
                    "\(step.source)[\(step.partition)] is no longer at offset \(step.expected): "
                        + "read the stored position again")
            }
        }
    }

    mutating func insert(_ submissions: Submissions) throws -> AcceptedCounts {
        if submissions.count == 0 { return counts }
        nextCase = try connection.first("SELECT next_case FROM ledger_numbers") { $0.int64(0) }!
        let first = nextCase
        let insert = try connection.statement(
            """
            INSERT INTO ledger_cases(
              case_no, stage_no, accepted_at, deadline, id, digest, parameters, attempt, trace,
              requester)
            VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING
            """)
        let latest = now.advanced(by: sla)
        for index in 0..<submissions.count {
            let requester = submissions.requesters.isEmpty ? nil : submissions.requesters[index]
            let add = { [stage, now] (number: Int64, attempt: Int, former: String?) in
                try insert.run(
                    number, stage, now, submissions.deadlines[index] ?? latest,
                    submissions.ids[index], submissions.digests[index],
                    submissions.parameters[index], attempt,
                    submissions.traces.isEmpty ? nil : submissions.traces[index]?.description,
                    former ?? requester) == 1
            }
            if try add(nextCase, 1, nil) {
                nextCase += 1
                counts.new += 1
            } else {
                try resolve(index, of: submissions, add)
            }
        }
        guard conflicts.isEmpty else { throw ConflictsFound(indices: conflicts) }
        try finish(first: first)
        return counts
    }

    /// A case of that id is known: this one is a repeat, a new attempt, or a conflict.
    private mutating func resolve(
        _ index: Int, of submissions: Submissions, _ add: (Int64, Int, String?) throws -> Bool
    ) throws {
        let known = try connection.first(
            """
            SELECT c.case_no, c.digest, o.state, c.attempt, c.requester FROM ledger_cases c
            LEFT JOIN ledger_outcomes o USING(case_no)
            WHERE c.id = ?1 AND c.stage_no = ?2 AND c.is_superseded = 0
            """, submissions.ids[index], stage
        ) { row in
            (
                number: row.int64(0), digest: row.digest(1),
                state: CaseState(rawValue: row.text(2)), attempt: row.int(3),
                requester: row.textOrNil(4)
            )
        }
        guard let known, known.digest == submissions.digests[index] else {
            conflicts.append(index)
            return
        }
        switch known.state {
        case .failed, .cancelled, .expired:
            try connection.run(
                "UPDATE ledger_cases SET is_superseded = 1 WHERE case_no = ?1", known.number)
            _ = try add(nextCase, known.attempt + 1, known.requester)
            nextCase += 1
            counts.reopened += 1
        case .pending, .sealed, .running, .succeeded, nil:
            counts.repeated += 1
        }
    }

    /// Lets the new cases wait, and notes their numbers as given.
    private func finish(first: Int64) throws {
        if nextCase == first { return }
        try connection.run(
            """
            INSERT INTO ledger_pending(stage_no, case_no, deadline, accepted_at)
            SELECT stage_no, case_no, deadline, accepted_at FROM ledger_cases WHERE case_no >= ?1
            """, first)
        try connection.run("UPDATE ledger_numbers SET next_case = ?1", nextCase)
    }
}
