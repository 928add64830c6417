internal import PipelineCore

/// Puts committed outcomes that last into the cache.
struct OutcomeCacheSink: Sink {
    let layout: CachedOutcomes

    var outcomeCache: (any OutcomeCache)? { layout }

    func deliver(_ chunk: Chunk) async throws {
        preconditionFailure("a cache takes outcomes; contracts see to that")
    }

    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        do {
            return try await layout.write(batch.outcomes)
        } catch let error as PipelineError where error.disposition == .fatal {
            // A cache is never in the way: it is waited for, not stopped for.
            throw PipelineError.permanent(error.code, error.message, cause: error)
        }
    }
}
