internal import Logging
internal import PipelineCore

/// The layout of outcomes in a cache: written by the stage, read by the API.
struct CachedOutcomes: OutcomeCache {
    /// Most entries of one write, so that a large batch does not hold up those who read.
    static let batchSize = 512

    let cache: any Cache
    let key: CaseKey
    let timeToLive: Duration
    let encoder: any OutcomeEncoder
    let logger: Logger

    /// A cache that does not answer is not waited for: the store does.
    func lookup(_ ids: [UUID]) async -> [Bytes?] {
        do {
            return try await cache.get(ids.map { key($0) })
        } catch {
            logger.debug("cache not reached", metadata: ["error": "\(error)"])
            return ids.map { _ in nil }
        }
    }

    func store(_ outcomes: [Outcome]) async {
        do { _ = try await write(outcomes) } catch {
            logger.debug("cache not reached", metadata: ["error": "\(error)"])
        }
    }

    /// Answers the outcomes that can't be rendered.
    func write(_ outcomes: [Outcome]) async throws -> [OutcomeRefusal] {
        var refused: [OutcomeRefusal] = []
        var rest = outcomes[...]
        while !rest.isEmpty {
            var entries: [CacheEntry] = []
            for outcome in rest.prefix(Self.batchSize) {
                do {
                    entries.append(
                        CacheEntry(
                            key: key(outcome.caseID), value: try encoder.cached(outcome),
                            timeToLive: timeToLive))
                } catch let error as PipelineError where error.disposition == .permanent {
                    refused.append(OutcomeRefusal(outcome, error))
                }
            }
            try await cache.set(entries)
            rest = rest.dropFirst(Self.batchSize)
        }
        return refused
    }
}
