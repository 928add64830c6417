internal import PipelineCore

/// Writes a line a record to a file or to standard output.
struct LinePublisher: Sink {
    let lines: any LineOutput
    let encoder: (any OutcomeEncoder)?
    let stage: String

    func deliver(_ chunk: Chunk) async throws {
        try await lines.append(
            chunk.records.map { OutgoingRecord(key: $0.key, payload: $0.payload) })
    }

    func deliver(_ batch: OutcomeBatch) async throws {
        try await lines.append(encoder.required(by: stage).announcements(batch.outcomes))
    }

    func close() async { await lines.close() }
}
