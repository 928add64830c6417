public import PipelineCore
internal import Postgres

extension PostgresLedger {
    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        try await withStage(for: .reading) { connection, stage in
            let answer = try connection.query(
                """
                select key, state, accepted_at, deadline, case_no, batch_no, outcome_id, reason,
                  report, data_as_of, written_at, parameters, attempt
                from penstock.snapshots($1, $2)
                """
            ) {
                $0.add(int2: stage)
                $0.add(uuids: ids)
            }
            var snapshots: [UUID: CaseSnapshot] = [:]
            snapshots.reserveCapacity(answer.rowCount)
            for row in 0..<answer.rowCount {
                let snapshot = try Self.snapshot(answer, row)
                snapshots[snapshot.id] = snapshot
            }
            return snapshots
        }
    }

    /// Looks at nothing but keys: thousands of readers are waited for with it, every second.
    public func finished(of ids: [UUID]) async throws -> Set<UUID> {
        try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select k.key from unnest($2::uuid[]) k(key)
                cross join lateral (
                  select case_no from penstock.cases c where c.key = k.key and c.stage = $1
                  order by c.attempt desc limit 1) c
                cross join lateral (
                  select 1 from penstock.outcomes o where o.case_no = c.case_no limit 1) o
                """
            ) {
                $0.add(int2: stage)
                $0.add(uuids: ids)
            }
            return Set((0..<answer.rowCount).map { answer.uuid($0, 0) })
        }
    }

    private static func snapshot(
        _ answer: PostgresResult, _ row: Int
    ) throws -> CaseSnapshot {
        let id = answer.uuid(row, 0)
        let state = try CaseState(letter: answer.char(row, 1), of: id)
        let deadline = answer.timestamp(row, 3)
        let outcome = answer.uuidOrNil(row, 6).map { outcomeID in
            Outcome(
                id: outcomeID, caseNumber: answer.int64(row, 4), caseID: id,
                revision: answer.int(row, 12), batch: answer.int64(row, 5), state: state,
                reason: answer.textOrNil(row, 7),
                report: answer.bytesOrNil(row, 8), dataAsOf: answer.timestampOrNil(row, 9),
                writtenAt: answer.timestamp(row, 10), deadline: deadline,
                parameters: answer.bytes(row, 11))
        }
        return CaseSnapshot(
            id: id, revision: answer.int(row, 12), state: state,
            acceptedAt: answer.timestamp(row, 2), deadline: deadline, outcome: outcome)
    }

    public func reopenable(of ids: [UUID]) async throws -> Set<UUID> {
        try await withStage { connection, stage in
            let answer = try connection.query("select penstock.reopenable($1, $2)") {
                $0.add(int2: stage)
                $0.add(uuids: ids)
            }
            return Set((0..<answer.rowCount).map { answer.uuid($0, 0) })
        }
    }
}
