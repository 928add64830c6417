internal import PipelineCore

/// Stands in for every generator: takes as long as the cost model says, and answers every case.
struct CostedGenerator: Generator {
    let cost: GenerationCostModel
    let clock: PipelineClock
    let start: Timestamp
    let largestBatch: Int?
    let recorder: SimulationRecorder

    func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let begun = clock.timestamp
        try await clock.sleep(for: cost.cost(of: batch.cases.count))
        recorder.note(
            SimulatedBatch(
                number: batch.number, closedBy: batch.closedBy,
                sealedAt: start.duration(to: batch.sealedAt),
                generation: start.duration(to: begun)..<start.duration(to: clock.timestamp),
                cases: batch.cases.map(\.id),
                fill: largestBatch.map { Double(batch.cases.count) / Double($0) }))
        return GeneratedBatch(
            results: batch.cases.map { _ in .report([]) }, dataAsOf: begun, rowsRead: 0)
    }
}
