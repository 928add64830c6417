internal import Logging
internal import PipelineCore

/// The layout of outcomes in a cache: written by the stage, read by the API.
///
/// Only outcomes that last are kept. One that did not succeed is opened again by a repeat of its
/// request: whoever found it here would be told of less than somebody else knows already. For the
/// same reason none can replace a newer one here, however late a slow reader or a repeated delivery
/// writes it. None outlives its case's time in the ledger.
struct CachedOutcomes: OutcomeCache {
    /// Most entries of one write, so that a large batch does not hold up those who read.
    private static let batchSize = 512

    private let cache: any Cache
    private let key: CaseKey
    private let timeToLive: Duration
    private let encoder: any OutcomeEncoder
    private let context: StageContext
    private let outage: Outage
    private let foreign: Outage

    init(
        cache: any Cache, key: CaseKey, timeToLive: Duration, encoder: any OutcomeEncoder,
        context: StageContext
    ) {
        self.cache = cache
        self.key = key
        self.timeToLive = timeToLive
        self.encoder = encoder
        self.context = context
        outage = Outage(
            "stage \(context.stage): look up",
            "the cache can't be reached: reads are answered by the store", clock: context.clock,
            logger: context.logger)
        foreign = Outage(
            "stage \(context.stage): look up",
            "the cache holds something else under a case's key: it is not answered",
            clock: context.clock, logger: context.logger)
    }

    /// A cache that does not answer is not waited for: the store does.
    func lookup(_ ids: [UUID]) async -> [Bytes?] {
        do {
            let found = try await cache.get(ids.map { key($0) })
            outage.succeeded()
            return zip(ids, found).map { id, bytes in bytes.flatMap { checked($0, id) } }
        } catch {
            note(error)
            return ids.map { _ in nil }
        }
    }

    /// Anybody may write into a cache: what is not the answer of that very case is a miss.
    private func checked(_ bytes: Bytes, _ id: UUID) -> Bytes? {
        switch encoder.recognize(bytes, of: id) {
        case .lasting: return bytes
        // Kept by an earlier version of this program.
        case .passing: return nil
        case .foreign:
            context.count(
                "foreign_cache_entries", "Values under cases' keys that were not their answers.")
            foreign.failed(
                PipelineError.permanent(
                    .foreignCacheEntry,
                    "the \(bytes.count) bytes under \(key(id)) are not that case's answer"))
            return nil
        }
    }

    func store(_ outcomes: [Outcome]) async {
        do {
            _ = try await write(outcomes)
            outage.succeeded()
        } catch {
            note(error)
        }
    }

    private func note(_ error: any Error) {
        if !(error is CancellationError) { outage.failed(error) }
    }

    /// Answers the outcomes that can't be rendered.
    func write(_ outcomes: [Outcome]) async throws -> [OutcomeRefusal] {
        var refused: [OutcomeRefusal] = []
        var rest = outcomes.filter(\.state.isLasting)[...]
        while !rest.isEmpty {
            var entries: [CacheEntry] = []
            let now = context.clock.timestamp
            for outcome in rest.prefix(Self.batchSize) {
                let left = outcome.timeToLive(
                    timeToLive, retention: context.retention, at: now)
                guard left > .zero else { continue }
                do {
                    entries.append(
                        CacheEntry(
                            key: key(outcome.caseID), value: try encoder.cached(outcome),
                            timeToLive: left))
                } catch let error as PipelineError where error.disposition == .permanent {
                    refused.append(OutcomeRefusal(outcome, error))
                }
            }
            if !entries.isEmpty { try await cache.set(entries) }
            rest = rest.dropFirst(Self.batchSize)
        }
        return refused
    }
}
