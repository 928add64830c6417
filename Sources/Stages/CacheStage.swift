public import ConfigurationDiagnostics
public import ConfigurationFields
internal import Logging
public import PipelineCore

/// `cache`: keeps outcomes where reads find them without asking the store.
public struct CacheStage: StagePlugin {
    public static let type = "cache"
    public static let role = StageRole.sink
    public static let summary = "Keeps outcomes in a cache, as readers get them."
    public static var codes: [Diagnostic.Code] { [.unknownCodec] }
    public static let counters: [StageCounter] = [.cacheHits, .cacheMisses, .foreignCacheEntries]
    public static let remarks = StageRemarks(delivered: "cached")
    public static let guarantee = """
        Never in the way: while the cache is down, reads are answered by the ledger and the stage \
        tries again. Only outcomes that nothing but a replay changes are kept, those of cases \
        that succeeded; what is found under a case's key and is not its answer is a miss.
        """

    private let cache: ResourceName
    private let key: CaseKey
    private let timeToLive: Duration
    private let codec: String

    public init(_ field: Fields) {
        cache = field("in", "The cache.", example: "cache")
        key = field(
            "key", "The entry's key; `{case_id}` stands for the case.",
            default: CaseKey.report)
        timeToLive = field(
            "ttl", "How long an outcome is kept.", default: .seconds(86_400),
            in: .seconds(1) ... .seconds(365 * 86_400))
        codec = field(
            "codec", "How outcomes are rendered.", default: "report-ready",
            example: "report-ready")
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        var contract = StageContract(uses: [use]) { input in
            switch input {
            case .outcomes?: .yields(.outcomes)
            case nil: .refuses("a cache stands behind a generate")
            case let input?: .refuses("a cache keeps outcomes, not \(input)")
            }
        }
        let objection = StageContract.Objection.unknownCodec(
            codec, "to render outcomes with", in: catalogue
        ) { $0.encoder != nil }
        if let objection { contract.objections.append(objection) }
        return contract
    }

    private var use: ResourceUse { ResourceUse("in", cache, .caches) }

    public func build(_ context: StageContext) throws -> StageInstance {
        let found = try context.resource(for: use, as: (any Cache).self)
        guard let encoder = context.catalogue.codec(codec)?.encoder else {
            throw PipelineError.fatal(
                .unknownCodec, "stage \(context.stage): there is no codec \"\(codec)\"")
        }
        return .outcomeSink(
            OutcomeCacheSink(
                layout: CachedOutcomes(
                    cache: found, key: key, timeToLive: timeToLive, encoder: encoder,
                    context: context)))
    }
}

/// Puts committed outcomes that last into the cache.
struct OutcomeCacheSink: OutcomeSink {
    let layout: CachedOutcomes

    var outcomeCache: (any OutcomeCache)? { layout }

    func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
        do {
            return try await layout.write(batch.outcomes, for: layout.timeToLive)
        } catch let error as PipelineError where error.disposition == .fatal {
            // A cache is never in the way: it is waited for, not stopped for.
            throw PipelineError.permanent(error.code, error.message, cause: error)
        }
    }
}

/// A cache key with a place for the case's id: `report:{case_id}`.
struct CaseKey: TextValue, Hashable {
    static var kind: String { "key with {case_id}" }
    static let report = CaseKey(before: "report:", after: "")
    private static let place = "{case_id}"

    private let before: String
    private let after: String

    private init(before: String, after: String) {
        self.before = before
        self.after = after
    }

    init(parsing text: String) throws(Refusal) {
        let parts = text.split(separator: Self.place, omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= 512 else {
            throw Refusal(
                .invalidValue, "does not hold {case_id} once",
                hint: "for example \"report:{case_id}\"")
        }
        self.init(before: String(parts[0]), after: String(parts[1]))
    }

    var text: String { before + Self.place + after }

    func callAsFunction(_ id: UUID) -> String { "\(before)\(id)\(after)" }
}

extension StageCounter {
    fileprivate static let cacheHits = StageCounter(
        "cache_hits", "Cases that readers found in the cache.")
    fileprivate static let cacheMisses = StageCounter(
        "cache_misses", "Cases that readers did not find in the cache, and asked the store for.")
    fileprivate static let foreignCacheEntries = StageCounter(
        "foreign_cache_entries", "Values under cases' keys that were not their answers.")
}

/// The layout of outcomes in a cache: written by the stage, read by the API.
///
/// Only outcomes that last are kept. One that did not succeed is opened again by a repeat of its
/// request: whoever found it here would be told of less than somebody else knows already. Only a
/// replay replaces one that lasts. A repeated delivery, or a slow reader, may come with an old one
/// after it: whoever writes looks first, and leaves a newer revision where it is. Between the look
/// and the write there is a moment left: so what readers put back is kept for a minute. None
/// outlives its case's time in the ledger.
struct CachedOutcomes: OutcomeCache {
    /// Most entries of one write, so that a large batch does not hold up those who read.
    private static let batchSize = 512
    /// How long what a reader puts back is kept at most.
    private static let putBackTimeToLive: Duration = .seconds(60)

    private typealias Entry = (id: UUID, revision: Int, entry: CacheEntry)

    private let cache: any Cache
    private let key: CaseKey
    let timeToLive: Duration
    private let encoder: any OutcomeEncoder
    private let context: StageContext
    private let outage: Outage
    private let foreign: Outage
    private let countHits: @Sendable (Int) -> Void
    private let countMisses: @Sendable (Int) -> Void
    private let countForeign: @Sendable (Int) -> Void

    init(
        cache: any Cache, key: CaseKey, timeToLive: Duration, encoder: any OutcomeEncoder,
        context: StageContext
    ) {
        self.cache = cache
        self.key = key
        self.timeToLive = timeToLive
        self.encoder = encoder
        self.context = context
        countHits = context.counter(.cacheHits)
        countMisses = context.counter(.cacheMisses)
        countForeign = context.counter(.foreignCacheEntries)
        outage = Outage(
            "stage \(context.stage): look up",
            "the cache can't be reached: reads are answered by the store", among: context.outages)
        foreign = Outage(
            "stage \(context.stage): check what is found",
            "the cache holds something else under a case's key: it is not answered",
            among: context.outages)
    }

    /// A cache that does not answer is not waited for: the store does.
    func lookup(_ ids: [UUID]) async -> [Bytes?] {
        do {
            let found = try await cache.values(of: ids.map { key($0) })
            outage.succeeded()
            let answers = zip(ids, found).map { id, bytes in bytes.flatMap { checked($0, id) } }
            let hits = answers.count { $0 != nil }
            countHits(hits)
            countMisses(ids.count - hits)
            return answers
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
            countForeign(1)
            foreign.failed(
                PipelineError.permanent(
                    .foreignCacheEntry,
                    "the \(bytes.count) bytes under \(key(id)) are not that case's answer"))
            return nil
        }
    }

    func store(_ outcomes: [Outcome]) async {
        do {
            _ = try await write(outcomes, for: min(timeToLive, Self.putBackTimeToLive))
        } catch {
            note(error)
        }
    }

    private func note(_ error: any Error) {
        if !(error is CancellationError) { outage.failed(error) }
    }

    /// Answers the outcomes that can't be rendered.
    func write(_ outcomes: [Outcome], for timeToLive: Duration) async throws -> [OutcomeRefusal] {
        var refused: [OutcomeRefusal] = []
        var rest = outcomes.filter(\.state.isLasting)[...]
        while !rest.isEmpty {
            var entries: [Entry] = []
            let now = context.clock.timestamp
            for outcome in rest.prefix(Self.batchSize) {
                let left = outcome.timeToLive(
                    timeToLive, retention: context.retention, at: now)
                guard left > .zero else { continue }
                do {
                    let entry = CacheEntry(
                        key: key(outcome.caseID), value: try encoder.cached(outcome),
                        timeToLive: left)
                    entries.append((outcome.caseID, outcome.revision, entry))
                } catch let error as PipelineError where error.disposition == .permanent {
                    refused.append(OutcomeRefusal(outcome, error))
                }
            }
            if !entries.isEmpty {
                try await cache.set(try await current(entries))
                outage.succeeded()
            }
            rest = rest.dropFirst(Self.batchSize)
        }
        return refused
    }

    /// Those for which the cache holds no newer revision.
    private func current(_ entries: [Entry]) async throws -> [CacheEntry] {
        let held = try await cache.values(of: entries.map(\.entry.key))
        return zip(entries, held).compactMap { new, held in
            if let held, case .lasting(let revision) = encoder.recognize(held, of: new.id),
                revision > new.revision
            {
                return nil
            }
            return new.entry
        }
    }
}
