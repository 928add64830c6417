public import Ledger
internal import PipelineCore
internal import Postgres

extension PostgresLedger {
    /// One round trip. Repeats of cancelled and expired cases open them again, like those of
    /// failed ones.
    ///
    /// A chunk that is handed in again after its answer was lost (`store-unavailable`,
    /// cancellation) is found to be accepted by its positions; it counts as new then.
    public func accept(_ submissions: Submissions) async throws -> Acceptance {
        do {
            let acceptance = try await attempt(submissions)
            unanswered.forget(submissions.advances)
            return acceptance
        } catch let error as PipelineError where error.code == "position-moved" {
            guard unanswered.contains(submissions.advances),
                try await areReached(submissions.advances)
            else { throw error }
            unanswered.forget(submissions.advances)
            return .accepted(AcceptedCounts(new: submissions.count, reopened: 0, repeated: 0))
        } catch let error as PipelineError where error.code == "store-unavailable" {
            unanswered.remember(submissions.advances)
            throw error
        } catch let error as CancellationError {
            unanswered.remember(submissions.advances)
            throw error
        }
    }

    private func attempt(_ submissions: Submissions) async throws -> Acceptance {
        let sla = stage.sla.wholeMicroseconds
        return try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select conflicts, inserted, reopened, repeated from penstock.accept(
                  $1, $2 * interval '1 microsecond', $3, $4, $5, $6, $7, $8, $9, $10)
                """
            ) {
                $0.add(int2: stage)
                $0.add(int8: sla)
                $0.add(uuids: submissions.ids)
                $0.add(arrayOf: .uuid, submissions.digests) { $0.write(digest: $1) }
                $0.add(timestamptzs: submissions.deadlines)
                $0.add(byteas: submissions.parameters)
                $0.add(arrayOf: .text, submissions.advances) { $0.write(text: $1.source) }
                $0.add(arrayOf: .int4, submissions.advances) { $0.write(int4: $1.partition) }
                $0.add(arrayOf: .int8, submissions.advances) { $0.write(int8: $1.expected) }
                $0.add(arrayOf: .int8, submissions.advances) { $0.write(int8: $1.next) }
            }
            if !answer.isNull(0, 0) { return .conflicts(answer.int64s(0, 0).map { Int($0) }) }
            return .accepted(
                AcceptedCounts(
                    new: answer.int(0, 1), reopened: answer.int(0, 2), repeated: answer.int(0, 3)))
        }
    }

    /// Whether every stored position is where the advance would have left it.
    private func areReached(_ advances: [PositionAdvance]) async throws -> Bool {
        try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select count(*) from penstock.positions p
                join unnest($2, $3, $4) x(source, part, next)
                  on p.source = x.source and p.part = x.part and p.next_offset = x.next
                where p.stage = $1
                """
            ) {
                $0.add(int2: stage)
                $0.add(arrayOf: .text, advances) { $0.write(text: $1.source) }
                $0.add(arrayOf: .int4, advances) { $0.write(int4: $1.partition) }
                $0.add(arrayOf: .int8, advances) { $0.write(int8: $1.next) }
            }
            return answer.int(0, 0) == advances.count
        }
    }

    public func positions(of source: String, initial: [Int32: Int64]) async throws
        -> [Int32: Int64]
    {
        try await withStage { connection, stage in
            let answer = try connection.query(
                "select part, next_offset from penstock.positions($1, $2, $3, $4)"
            ) {
                let parts = initial.sorted { $0.key < $1.key }
                $0.add(int2: stage)
                $0.add(text: source)
                $0.add(int4s: parts.map(\.key))
                $0.add(int8s: parts.map(\.value))
            }
            var positions: [Int32: Int64] = [:]
            for row in 0..<answer.rowCount {
                positions[Int32(answer.int64(row, 0))] = answer.int64(row, 1)
            }
            return positions
        }
    }
}
