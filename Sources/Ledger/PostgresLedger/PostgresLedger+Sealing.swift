internal import Batching
internal import Ledger
public import PipelineCore
internal import Postgres

extension PostgresLedger {
    /// Most batches that are sealed in one transaction; what is left of a drain goes on at once
    /// with the next call.
    private static let batchesPerStep = 32

    /// One transaction: locks the stage's row, reads what waits, decides, seals. While another
    /// process is at it, answers nothing sealed and a `next` that is soon.
    public func seal() async throws -> SealingResult {
        let rule = stage.rule
        let revision = try await registered().revision
        return try await withStage { connection, stage in
            try connection.transaction {
                var sealed: [SealedBatch] = []
                while true {
                    let look = try connection.look(stage, rule)
                    var result = SealingResult(
                        open: look.open, clock: look.clock, sealed: sealed, next: nil)
                    if look.isBusy {
                        result.next = look.clock.advanced(by: .milliseconds(100))
                        return result
                    }
                    if look.revision > revision {
                        result.outdatedBy = look.revision
                        return result
                    }
                    if try connection.isPaused(.sealing, stage) { return result }
                    let firing: Firing
                    if let reason = look.draining {
                        firing = .drain(closedBy: reason)
                    } else {
                        switch rule.decide(look.open, now: look.clock) {
                        case .fire(let decided): firing = decided
                        case .wait(let instant):
                            result.next = instant
                            return result
                        }
                    }
                    let left = Self.batchesPerStep - sealed.count
                    if left <= 0 {
                        result.next = look.clock
                        return result
                    }
                    sealed += try connection.seal(
                        stage, revision: revision, firing: firing, most: left,
                        maxBatch: rule.maxBatch)
                }
            }
        }
    }

    public func requestFlush() async throws {
        try await withStage { connection, stage in
            _ = try connection.query(
                "update penstock.stages set flush_requested = clock_timestamp() where stage = $1"
            ) { $0.add(int2: stage) }
        }
    }

    public func expectedSealing() async throws -> ExpectedSealing {
        let rule = stage.rule
        return try await withStage(for: .reading) { connection, stage in
            let look = try connection.look(stage, rule, locking: false)
            return rule.expected(
                look.open, draining: look.open.count > 0 ? look.draining : nil, clock: look.clock)
        }
    }
}

/// The stage's row and what waits.
private struct Look {
    var isBusy: Bool
    var open: OpenBatch
    var clock: Timestamp
    var draining: String?
    var revision: Int64
}

extension PostgresConnection {
    fileprivate func look(
        _ stage: Int16, _ rule: BatchingRule, locking: Bool = true
    ) throws -> Look {
        let columns = PostgresResult.openBatchColumns
        let answer = try query(
            locking
                ? "select \(columns), is_busy from penstock.look($1, $2, $3)"
                : "select \(columns), false from penstock.open_batch($1, $2, $3)"
        ) {
            $0.add(int2: stage)
            $0.add(int4: Int32(clamping: rule.countBound))
            $0.add(bool: rule.needsNewest)
        }
        return Look(
            isBusy: answer.bool(0, 9),
            open: answer.openBatch,
            clock: answer.timestamp(0, 3), draining: answer.textOrNil(0, 6),
            revision: answer.int64(0, 7))
    }

    /// A full firing seals one batch, a drain as many as it takes, but no more than `most`.
    fileprivate func seal(_ stage: Int16, revision: Int64, firing: Firing, most: Int, maxBatch: Int)
        throws -> [SealedBatch]
    {
        let fullSize: Int? = if case .full(_, let size) = firing { size } else { nil }
        let answer = try query("select batch_no, size from penstock.seal($1, $2, $3, $4, $5, $6)") {
            $0.add(int2: stage)
            $0.add(int8: revision)
            $0.add(text: firing.closedBy)
            $0.add(int4: fullSize == nil ? Int32(most) : 1)
            $0.add(int4: Int32(clamping: fullSize ?? maxBatch))
            $0.add(bool: fullSize != nil)
        }
        return (0..<answer.rowCount).map { row in
            SealedBatch(
                number: answer.int64(row, 0), count: answer.int(row, 1), closedBy: firing.closedBy)
        }
    }
}

extension PostgresResult {
    /// What `penstock.look` and `penstock.open_batch` answer, to be asked for first.
    static let openBatchColumns =
        "waiting, earliest, oldest, clock, fired, flush, draining, revision, newest"

    /// The first row's.
    var openBatch: OpenBatch {
        OpenBatch(
            count: int(0, 0), oldest: timestampOrNil(0, 2), newest: timestampOrNil(0, 8),
            earliestDeadline: timestampOrNil(0, 1), flushRequested: timestampOrNil(0, 5),
            lastFired: timestampOrNil(0, 4))
    }
}
