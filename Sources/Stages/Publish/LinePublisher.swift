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

    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        let (lines, refused) = try encoder.required(by: stage).announcements(batch.outcomes)
        try await self.lines.append(lines.map(\.record))
        return refused
    }

    func close() async { await lines.close() }
}
