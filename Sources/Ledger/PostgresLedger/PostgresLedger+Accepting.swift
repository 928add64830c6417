internal import Calendar
internal import Ledger
public import PipelineCore
internal import Postgres

extension PostgresLedger {
    /// Chunks that are accepted in one loan before others that wait for the connection have their
    /// turn.
    private static let chunksPerLoan = 64

    /// One round trip. Repeats of cancelled and expired cases open them again, like those of
    /// failed ones.
    public func accept(_ submissions: Submissions) async throws -> Acceptance {
        do {
            return try await attempt(submissions)
        } catch let error as PipelineError where error.code == .positionMoved {
            guard try await areReached(submissions) else { throw error }
            return .accepted(AcceptedCounts(new: submissions.count, reopened: 0, repeated: 0))
        }
    }

    /// Keeps the server at work: the next chunk lies ready for it when it has finished one.
    public func accept(from window: any SubmissionWindow) async throws {
        let sla = stage.sla.wholeMicroseconds
        try await withStage { connection, stage in
            var left = Self.chunksPerLoan
            try connection.stream(Self.acceptStatement) { parameters in
                guard left > 0, let submissions = window.next() else { return false }
                left -= 1
                parameters.add(submissions, stage: stage, sla: sla)
                return true
            } answered: { answer in
                window.answer(answer.map(\.acceptance).mapError(LedgerError.translate))
            }
        }
    }

    private func attempt(_ submissions: Submissions) async throws -> Acceptance {
        let sla = stage.sla.wholeMicroseconds
        return try await withStage { connection, stage in
            try connection.query(Self.acceptStatement) {
                $0.add(submissions, stage: stage, sla: sla)
            }.acceptance
        }
    }

    private static let acceptStatement = """
        select conflicts, inserted, reopened, repeated from penstock.accept(
          $1, $2 * interval '1 microsecond', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """

    /// Whether every stored position is where the chunk, or unanswered ones behind it, would have
    /// left it.
    private func areReached(_ submissions: Submissions) async throws -> Bool {
        for advance in submissions.advances {
            let ends = submissions.ends(of: advance)
            guard !ends.isEmpty,
                let stored = try await storedPosition(advance.source, advance.partition),
                ends.contains(stored)
            else { return false }
        }
        return true
    }

    private func storedPosition(_ source: String, _ partition: Int32) async throws -> Int64? {
        try await withStage { connection, stage in
            let answer = try connection.query(
                """
                select next_offset from penstock.positions
                where stage = $1 and source = $2 and part = $3
                """
            ) {
                $0.add(int2: stage)
                $0.add(text: source)
                $0.add(int4: partition)
            }
            return answer.rowCount == 0 ? nil : answer.int64(0, 0)
        }
    }
}

extension PostgresParameters {
    fileprivate func add(_ submissions: Submissions, stage: Int16, sla: Int64) {
        add(int2: stage)
        add(int8: sla)
        add(uuids: submissions.ids)
        add(arrayOf: .uuid, submissions.digests) { $0.write(digest: $1) }
        add(timestamptzs: submissions.deadlines)
        add(byteas: submissions.parameters)
        add(arrayOf: .text, submissions.advances) { $0.write(text: $1.source) }
        add(arrayOf: .int4, submissions.advances) { $0.write(int4: $1.partition) }
        add(arrayOf: .int8, submissions.advances) { $0.write(int8: $1.expected) }
        add(arrayOf: .int8, submissions.advances) { $0.write(int8: $1.next) }
        add(submissions.traces.map { $0?.description })
        add(submissions.requesters)
    }

    /// One for each case; none at all says that no case has one.
    private func add(_ texts: [String?]) {
        if texts.isEmpty { return addNull(arrayOf: .text) }
        add(arrayOf: .text, texts) { $0.write(text: $1) }
    }
}

extension PostgresResult {
    fileprivate var acceptance: Acceptance {
        if !isNull(0, 0) { return .conflicts(int64s(0, 0).map { Int($0) }) }
        return .accepted(
            AcceptedCounts(new: int(0, 1), reopened: int(0, 2), repeated: int(0, 3)))
    }
}
