public import PipelineCore
internal import Postgres

extension PostgresLedger {
    public func snapshots(of ids: [UUID]) async throws -> [UUID: CaseSnapshot] {
        try await withStage { connection, stage in
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
                let snapshot = Self.snapshot(answer, row)
                snapshots[snapshot.id] = snapshot
            }
            return snapshots
        }
    }

    private static func snapshot(_ answer: PostgresResult, _ row: Int) -> CaseSnapshot {
        let id = answer.uuid(row, 0)
        let state = CaseState(letter: answer.char(row, 1))
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
