public import PipelineCore
internal import Postgres

extension PostgresLedger {
    public func end(_ ids: [UUID], as state: CaseState, reason: String) async throws -> Int {
        precondition(
            state == .cancelled || state == .expired, "not a state that ends pending cases")
        let count = try await withStage { connection, stage in
            try connection.query("select penstock.end_pending($1, $2, $3, $4, $5)") {
                $0.add(int2: stage)
                $0.add(uuids: ids)
                $0.add(char: state.letter)
                $0.add(text: state.rawValue)
                $0.add(text: reason.storable)
            }.int(0, 0)
        }
        if count > 0 { outcomesCommitted.ring() }
        return count
    }

    public func purge(finishedBefore before: Timestamp) async throws -> Int? {
        try await withStage(for: .bulk) { connection, stage in
            try connection.query("select penstock.purge($1, $2)") {
                $0.add(int2: stage)
                $0.add(timestamptz: before)
            }.int64OrNil(0, 0).map(Int.init)
        }
    }

    public func summary() async throws -> LedgerSummary {
        try await withStage(for: .reading) { connection, stage in
            let answer = try connection.query(
                """
                select pending, open, committed, undelivered, cases, seconds
                from penstock.summary($1)
                """
            ) { $0.add(int2: stage) }
            return LedgerSummary(
                pending: answer.int(0, 0), openBatches: answer.int(0, 1),
                committedBatches: answer.int(0, 2), undelivered: answer.int(0, 3),
                generatedCases: answer.int64(0, 4), generationSeconds: answer.double(0, 5))
        }
    }
}
