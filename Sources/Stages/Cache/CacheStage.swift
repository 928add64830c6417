public import ConfigurationDiagnostics
public import ConfigurationFields
public import PipelineCore

/// `cache`: keeps outcomes where reads find them without asking the store.
public struct CacheStage: StagePlugin {
    public static let type = "cache"
    public static let role = StageRole.sink
    public static let summary = "Keeps outcomes in a cache, as readers get them."
    public static var codes: [Diagnostic.Code] { [.unknownCodec] }
    public static let remarks = StageRemarks(delivered: "cached")
    public static let guarantee = """
        Never in the way: while the cache is down, reads are answered by the ledger and the stage tries again. Only \
        outcomes that never change are kept, those of cases that succeeded; what is found under a case's key and is not \
        its answer is a miss.
        """

    let cache: ResourceName
    let key: CaseKey
    let timeToLive: Duration
    let codec: String

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
            return try await layout.write(batch.outcomes)
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

    let before: String
    let after: String

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
