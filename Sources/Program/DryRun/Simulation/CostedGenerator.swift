internal import PipelineCore

/// Stands in for every generator: takes as long as the cost model says, and answers every case.
struct CostedGenerator: Generator {
    let cost: GenerationCostModel
    let clock: PipelineClock
    let start: Timestamp
    /// How many cases a batch has that the rule calls full.
    let fullBatch: Int?
    let recorder: SimulationRecorder

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let begun = clock.timestamp
        recorder.note(claimed: batch.cases.count)
        try await clock.sleep(for: cost.cost(of: batch.cases.count))
        recorder.note(
            SimulatedBatch(
                number: batch.number, closedBy: batch.closedBy,
                sealedAt: start.duration(to: batch.sealedAt),
                generation: start.duration(to: begun)..<start.duration(to: clock.timestamp),
                cases: batch.cases.map(\.id),
                fill: fullBatch.map { Double(batch.cases.count) / Double($0) }))
        return GeneratedBatch(
            results: batch.cases.map { _ in .report([]) }, dataAsOf: begun, rowsRead: 0)
    }
}
