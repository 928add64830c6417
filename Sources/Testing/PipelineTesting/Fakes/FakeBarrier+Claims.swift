internal import PipelineCore

struct FakeClaim: ClaimedBatch {
    let barrier: FakeBarrier
    let batch: Batch
    var lease: Duration { barrier.lease }

    func extend() async throws { try barrier.perform(.extend, "\(batch.number)") }
    func commit(
        _ generated: GeneratedBatch, took: Duration, sinks: [String]
    ) async throws -> Timestamp {
        try barrier.commit(batch, generated, sinks)
        return barrier.storeTime
    }
    func release(after delay: Duration, reason: String) async throws {
        try barrier.perform(.release, "\(batch.number)")
        barrier.pauses.note(delay)
        barrier.giveBack(batch)
    }
    func bisect() async throws {
        try barrier.perform(.bisect, "\(batch.number)")
        barrier.bisect(batch)
    }
}

struct FakeDeliveryClaim: ClaimedDelivery {
    let barrier: FakeBarrier
    let sink: String
    let batch: OutcomeBatch
    var lease: Duration { barrier.lease }

    func extend() async throws { try barrier.perform(.extend, "\(batch.number) to \(sink)") }
    func delivered(refused: [OutcomeRefusal]) async throws {
        try barrier.perform(.delivered, "\(batch.number) to \(sink)")
        for outcome in refused { barrier.refusals.note((sink, outcome)) }
    }
    func release(after delay: Duration) async throws {
        try barrier.perform(.releaseDelivery, "\(batch.number) to \(sink)")
        barrier.pauses.note(delay)
        var batch = batch
        batch.attempts += 1
        barrier.giveBack(batch, to: sink)
    }
}
