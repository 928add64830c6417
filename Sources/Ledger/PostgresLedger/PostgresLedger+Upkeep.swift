internal import Concurrency
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
        if count > 0 { outcomesCommitted.send() }
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

extension PostgresLedger {
    public func parked(
        _ selection: ParkedSelection, limit: Int
    ) async throws -> [ParkedOutcome] {
        try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select batch_no, sink, key, outcome_id, code, reason, attempts, parked_at, is_due
                from penstock.parked_of($1, $2, $3, $4, $5)
                """
            ) {
                $0.add(stage, selection)
                $0.add(int8: Int64(limit))
            }
            return (0..<answer.rowCount).map { row in
                ParkedOutcome(
                    batch: answer.int64(row, 0), sink: answer.text(row, 1),
                    caseID: answer.uuid(row, 2), outcomeID: answer.uuid(row, 3),
                    code: ErrorCode(foreign: answer.text(row, 4)), reason: answer.text(row, 5),
                    attempts: answer.int(row, 6), parkedAt: answer.timestamp(row, 7),
                    isDue: answer.bool(row, 8))
            }
        }
    }

    public func parkedCounts() async throws -> [String: Int] {
        try await withStage { connection, stage in
            let answer = try connection.query(
                "select sink, count(*) from penstock.parked where stage = $1 group by sink"
            ) { $0.add(int2: stage) }
            return Dictionary(
                uniqueKeysWithValues: (0..<answer.rowCount).map {
                    (answer.text($0, 0), answer.int($0, 1))
                })
        }
    }

    public func replayParked(_ selection: ParkedSelection) async throws -> Int {
        try await withStage { connection, stage in
            try connection.query("select penstock.replay_parked($1, $2, $3, $4)") {
                $0.add(stage, selection)
            }.int(0, 0)
        }
    }

    public func dropParked(_ selection: ParkedSelection) async throws -> Int {
        try await withStage { connection, stage in
            try connection.query("select penstock.drop_parked($1, $2, $3, $4)") {
                $0.add(stage, selection)
            }.int(0, 0)
        }
    }
}

extension PostgresParameters {
    fileprivate func add(_ stage: Int16, _ selection: ParkedSelection) {
        add(int2: stage)
        add(text: selection.sink)
        add(text: selection.code)
        add(uuidsOrNull: selection.cases)
    }
}
