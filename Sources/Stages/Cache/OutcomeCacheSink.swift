internal import PipelineCore

/// Puts committed outcomes that last into the cache.
struct OutcomeCacheSink: Sink {
    let layout: CachedOutcomes

    var outcomeCache: (any OutcomeCache)? { layout }

    func deliver(_ chunk: Chunk) async throws {
        preconditionFailure("a cache takes outcomes; contracts see to that")
    }

    func deliver(_ batch: OutcomeBatch) async throws { try await layout.write(batch.outcomes) }
}
