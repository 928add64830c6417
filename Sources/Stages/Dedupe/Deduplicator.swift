internal import Concurrency
internal import PipelineCore
internal import Synchronization

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
