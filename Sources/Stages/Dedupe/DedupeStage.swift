internal import Concurrency
public import ConfigurationFields
public import PipelineCore
internal import Synchronization

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
        Never drops the only copy: a key is remembered once its first record has settled, a repeat \
        that arrives meanwhile waits for that and goes on if it failed. A repeat of a case that \
        has failed goes on, and opens it again; so does a request whose case the ledger does not \
        have any more. The same key with other content goes on; the ledger says what it is. Where \
        a codec reads ids, a record is never a repeat of one with another id, however equal the \
        rest is: each case has a caller who waits for its answer. Losing the memory costs work, \
        never a record.
        """

    private let key: Key
    private let window: Duration
    private let maxKeys: Int
    private let cache: ResourceName?

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

    /// Together with the record's id, if it has one: dropping another case, with however equal a
    /// content, would lose it.
    fileprivate func keyOfItsID(_ rest: Digest) -> DedupeKey {
        guard let id else { return DedupeKey(rest) }
        return DedupeKey(Digest(of: (id.bytes + UUID(high: rest.high, low: rest.low).bytes)[...]))
    }
}

/// Drops records whose key and content have settled already.
final class Deduplicator: Transform {
    /// The first record of a key, in flight until its chunk has settled.
    private struct Leader: Sendable {
        var acknowledgement: ObjectIdentifier
        var ordinal: Int
        var digest: Digest
        /// Set when the chunk has settled.
        var settled: AsyncEvent
    }
    private typealias Leaders = [(key: DedupeKey, leader: Leader)]

    private let memory: any DedupeMemory
    private let cases: (any CaseReader)?
    private let passesUnsettled: Bool
    private let key: @Sendable (Record) -> DedupeKey?
    private let inFlight = Mutex<[DedupeKey: Leader]>([:])

    /// - Parameter cases: knows which cases have failed, or are gone, since they were remembered,
    ///   in whatever process.
    init(
        memory: any DedupeMemory, cases: (any CaseReader)? = nil, passesUnsettled: Bool,
        key: @escaping @Sendable (Record) -> DedupeKey?
    ) {
        self.memory = memory
        self.cases = cases
        self.passesUnsettled = passesUnsettled
        self.key = key
    }

    func process(_ chunk: Chunk) async throws -> Chunk {
        let keys = chunk.records.map(key)
        try await awaitLeaders(of: keys, chunk)
        let known = await memory.recall(keys.compactMap(\.self))
        let reopenable = await reopenable(among: chunk.records, keys, known)
        let acknowledgement = ObjectIdentifier(chunk.acknowledgement)
        let settled = AsyncEvent()
        var passed: [Record] = []
        var leaders: Leaders = []
        var followers: [(leader: Int, record: Record)] = []
        passed.reserveCapacity(keys.count)
        leaders.reserveCapacity(known.count)
        inFlight.withLock { inFlight in
            var recalled = known.makeIterator()
            for (record, key) in zip(chunk.records, keys) {
                guard let key else {
                    passed.append(record)
                    continue
                }
                let digest = record.contentDigest
                if let remembered = recalled.next() ?? nil, remembered == digest,
                    !(record.id.map { reopenable.contains($0) } ?? false)
                {
                    continue
                }
                let leader = Leader(
                    acknowledgement: acknowledgement, ordinal: record.ordinal, digest: digest,
                    settled: settled)
                guard let ahead = inFlight.updateValue(leader, forKey: key) else {
                    leaders.append((key, leader))
                    passed.append(record)
                    continue
                }
                inFlight[key] = ahead
                if ahead.acknowledgement == acknowledgement && ahead.digest == digest
                    && ahead.ordinal != record.ordinal
                {
                    followers.append((ahead.ordinal, record))
                } else {
                    passed.append(record)
                }
            }
        }
        for (leader, record) in followers { chunk.acknowledgement.follow(leader, record) }
        remember(leaders, when: chunk.acknowledgement, settled)
        return Chunk(
            records: passed, advances: chunk.advances, acknowledgement: chunk.acknowledgement)
    }

    func run() async throws { try await memory.run() }

    /// The cases of repeats which are about to be dropped and which the ledger would open: failed
    /// ones, and those that it does not have any more. One statement for a chunk, and only if it
    /// has repeats. Nobody but the ledger knows: any process may have answered.
    private func reopenable(
        among records: [Record], _ keys: [DedupeKey?], _ known: [Digest?]
    ) async -> Set<UUID> {
        guard let cases, known.contains(where: { $0 != nil }) else { return [] }
        var recalled = known.makeIterator()
        let repeats = zip(records, keys).compactMap { record, key -> UUID? in
            guard key != nil, let remembered = recalled.next() ?? nil,
                remembered == record.contentDigest
            else { return nil }
            return record.id
        }
        if repeats.isEmpty { return [] }
        // While it can't be asked, repeats go on: it finds them out itself.
        do { return try await cases.reopenable(of: repeats) } catch { return Set(repeats) }
    }

    /// Repeats of what is in flight in another chunk wait for its end: they are dropped only if it
    /// is safe.
    private func awaitLeaders(of keys: [DedupeKey?], _ chunk: Chunk) async throws {
        if passesUnsettled { return }
        let ahead = inFlight.withLock { inFlight in
            zip(chunk.records, keys).compactMap { record, key -> AsyncEvent? in
                guard let key, let leader = inFlight[key],
                    leader.acknowledgement != ObjectIdentifier(chunk.acknowledgement),
                    leader.digest == record.contentDigest
                else { return nil }
                return leader.settled
            }
        }
        for settled in ahead { try await settled.wait() }
    }

    private func remember(
        _ leaders: Leaders, when acknowledgement: Acknowledgement, _ settled: AsyncEvent
    ) {
        if leaders.isEmpty { return }
        acknowledgement.observe { [self, unowned acknowledgement] settlement in
            if case .acknowledged = settlement {
                let rejected = acknowledgement.rejectedOrdinals
                memory.remember(
                    leaders.compactMap { key, leader in
                        rejected.contains(leader.ordinal) ? nil : (key, leader.digest)
                    })
            }
            inFlight.withLock { inFlight in
                for (key, leader) in leaders {
                    guard let other = inFlight.removeValue(forKey: key),
                        other.acknowledgement != leader.acknowledgement
                    else { continue }
                    inFlight[key] = other
                }
            }
            settled.set()
        }
    }
}
