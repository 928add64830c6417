internal import Ledger
internal import PipelineCore
internal import Synchronization

extension LedgerBarrier {
    func nextBatch(worker: String) async throws -> any ClaimedBatch {
        while true {
            if let batch = try await ledger.claim(worker: worker, lease: lease) {
                return LedgerBatch(barrier: self, batch: batch)
            }
            try await sealed.wait(until: nextLook, clock: context.clock)
        }
    }

    func nextDelivery(to sink: String, worker: String) async throws -> any ClaimedDelivery {
        while true {
            if let batch = try await ledger.claimDelivery(
                sink: sink, worker: worker, lease: deliveryLease)
            {
                return LedgerDelivery(barrier: self, sink: sink, batch: batch)
            }
            try await committed(sink).wait(until: nextLook, clock: context.clock)
        }
    }

    private var nextLook: Instant {
        context.clock.now.advanced(by: poll * (0.75 + 0.5 * context.random.unit()))
    }
}

/// A batch claimed from the ledger.
private final class LedgerBatch: ClaimedBatch {
    private let barrier: LedgerBarrier
    let batch: Batch
    /// The outcomes' ids, chosen once: a commit that is repeated after a lost answer writes the same.
    private let outcomeIDs: [UUID]

    init(barrier: LedgerBarrier, batch: Batch) {
        self.barrier = barrier
        self.batch = batch
        outcomeIDs = batch.cases.map { _ in barrier.context.random.uuid() }
    }

    var lease: Duration { barrier.lease }

    func extend() async throws {
        try await barrier.ledger.extend(
            batch: batch.number, token: batch.token, lease: barrier.lease)
    }

    func commit(
        _ generated: GeneratedBatch, took: Duration, sinks: [String]
    ) async throws -> Timestamp {
        let committedAt = try await barrier.ledger.commit(
            BatchCommit(
                batch: batch.number, token: batch.token, cases: batch.cases.map(\.number),
                outcomeIDs: outcomeIDs, results: generated.results, dataAsOf: generated.dataAsOf,
                sinks: sinks, took: took, rowsRead: generated.rowsRead))
        for sink in sinks {
            barrier.committed(sink).ring()
            barrier.tell(.committed(sink: sink))
        }
        return committedAt
    }

    func release(after delay: Duration, reason: String) async throws {
        try await barrier.ledger.release(
            batch: batch.number, token: batch.token, after: delay, reason: reason)
    }

    func bisect() async throws {
        try await barrier.ledger.bisect(batch: batch.number, token: batch.token)
        barrier.sealed.ring()
        barrier.tell(.sealed)
    }
}

/// A committed batch claimed for one sink.
private struct LedgerDelivery: ClaimedDelivery {
    let barrier: LedgerBarrier
    let sink: String
    let batch: OutcomeBatch

    var lease: Duration { barrier.deliveryLease }

    func extend() async throws {
        try await barrier.ledger.extendDelivery(
            batch: batch.number, sink: sink, token: batch.token, lease: barrier.deliveryLease)
    }
    func delivered(refused: [OutcomeRefusal]) async throws {
        try await barrier.ledger.delivered(
            batch: batch.number, sink: sink, token: batch.token, refused: refused)
    }
    func release(after delay: Duration) async throws {
        try await barrier.ledger.releaseDelivery(
            batch: batch.number, sink: sink, token: batch.token, after: delay)
    }
}
