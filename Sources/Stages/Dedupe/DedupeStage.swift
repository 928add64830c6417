public import ConfigurationFields
public import PipelineCore

/// `dedupe`: drops repeats inside a bounded window.
public struct DedupeStage: StagePlugin {
    enum Key: String, Choice {
        case caseID = "case_id"
        case recordKey = "record_key"
        case content
    }

    public static let type = "dedupe"
    public static let role = StageRole.transform
    public static let summary = "Drops repeats with the same key and the same content."
    public static let remarks = StageRemarks(kept: .repeats)
    public static let guarantee = """
        Never drops the only copy: a key is remembered once its first record has settled, a repeat that arrives meanwhile \
        waits for that and goes on if it failed. A repeat of a case that has failed goes on, and opens it again; so does a \
        request whose case the ledger does not have any more. The same key with other content goes on; the ledger says \
        what it is. Where a codec reads ids, a record is never a repeat of one with another id, however equal the rest is: \
        each case has a caller who waits for its answer. Losing the memory costs work, never a record.
        """

    let key: Key
    let window: Duration
    let maxKeys: Int
    let cache: ResourceName?

    public init(_ field: Fields) {
        key = field(
            "key",
            "What makes two records the same: the id that the codec has read; the message's key, or only its content, of "
                + "records with the same id, or with none.",
            default: .caseID)
        window = field(
            "window", "How long a key is remembered.", default: .seconds(600),
            in: .seconds(1) ... .seconds(7 * 86_400))
        maxKeys = field(
            "max_keys", "Most keys in memory; the oldest goes first.", unit: "keys",
            default: 100_000, in: 1...10_000_000)
        cache = field.optional(
            "in", "A cache that workers share; memory of this process without it.",
            example: "cache")
    }

    public func contract(in catalogue: Catalogue) -> StageContract {
        StageContract(uses: use.map { [$0] } ?? []) { [key] input in
            guard let input else { return .refuses("a dedupe stands behind an ingest") }
            if input == .batches || input == .outcomes {
                return .refuses("a dedupe takes single records, not \(input)")
            }
            if key == .caseID && input == .bytes {
                return .refuses(
                    "\"key\": \"case_id\" needs an ingest with a codec that reads ids; \"record_key\" and \"content\" do not"
                )
            }
            return .yields(input)
        }
    }

    /// None for the memory of this process.
    private var use: ResourceUse? { cache.map { ResourceUse("in", $0, .caches) } }

    public func build(_ context: StageContext) throws -> StageInstance {
        let memory: any DedupeMemory
        if let use {
            memory = CacheDedupeMemory(
                cache: try context.resource(for: use, as: (any Cache).self),
                prefix: "dedupe:\(context.pipeline):\(context.stage):", window: window,
                context: context)
        } else {
            memory = ProcessDedupeMemory(window: window, maxKeys: maxKeys, clock: context.clock)
        }
        return .transform(
            Deduplicator(
                memory: memory, cases: context.reads.cases, passesUnsettled: context.settlesLate,
                key: { [key] in key.of($0) }))
    }
}

extension DedupeStage.Key {
    /// The record's key under this rule; `nil` when it has none, then it passes.
    func of(_ record: Record) -> DedupeKey? {
        switch self {
        case .caseID: record.id.map { DedupeKey(high: $0.high, low: $0.low) }
        case .recordKey: record.key.map { record.keyOfItsID(Digest(of: $0)) }
        case .content: record.keyOfItsID(record.contentDigest)
        }
    }
}

extension Record {
    /// The codec's digest, or the payload's.
    var contentDigest: Digest { digest ?? Digest(of: payload) }

    /// Together with the record's id, if it has one: dropping another case, with however equal a content, would lose it.
    fileprivate func keyOfItsID(_ rest: Digest) -> DedupeKey {
        guard let id else { return DedupeKey(rest) }
        return DedupeKey(Digest(of: (id.bytes + UUID(high: rest.high, low: rest.low).bytes)[...]))
    }
}
