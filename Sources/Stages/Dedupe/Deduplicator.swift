internal import PipelineCore
internal import Synchronization

/// Drops records whose key and content have settled already.
final class Deduplicator: Transform {
    /// The first record of a key, on its way to settlement.
    private struct Passenger: Sendable {
        var acknowledgement: ObjectIdentifier
        var ordinal: Int
        var digest: Digest
        /// Set when the chunk has settled.
        var hasLanded: AsyncEvent
    }
    private typealias Boarding = [(key: DedupeKey, passenger: Passenger)]

    private let memory: any DedupeMemory
    private let cases: (any CaseReader)?
    private let passesUnsettled: Bool
    private let key: @Sendable (Record) -> DedupeKey?
    private let flying = Mutex<[DedupeKey: Passenger]>([:])

    /// - Parameter cases: knows which cases have failed, or are gone, since they were remembered, in whatever process.
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
        try await awaitLanding(of: keys, chunk)
        let known = await memory.recall(keys.compactMap(\.self))
        let reopenable = await reopenable(among: chunk.records, keys, known)
        let acknowledgement = ObjectIdentifier(chunk.acknowledgement)
        let hasLanded = AsyncEvent()
        var passed: [Record] = []
        var boarded: Boarding = []
        var followers: [(leader: Int, record: Record)] = []
        passed.reserveCapacity(keys.count)
        boarded.reserveCapacity(known.count)
        flying.withLock { flying in
            var recalled = known.makeIterator()
            for (record, key) in zip(chunk.records, keys) {
                guard let key else {
                    passed.append(record)
                    continue
                }
                let digest = record.contentDigest
                if let settled = recalled.next() ?? nil, settled == digest,
                    !(record.id.map { reopenable.contains($0) } ?? false)
                {
                    continue
                }
                let passenger = Passenger(
                    acknowledgement: acknowledgement, ordinal: record.ordinal, digest: digest,
                    hasLanded: hasLanded)
                guard let ahead = flying.updateValue(passenger, forKey: key) else {
                    boarded.append((key, passenger))
                    passed.append(record)
                    continue
                }
                flying[key] = ahead
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
        remember(boarded, when: chunk.acknowledgement, hasLanded)
        return Chunk(
            records: passed, advances: chunk.advances, acknowledgement: chunk.acknowledgement)
    }

    func run() async throws { try await memory.run() }

    /// The cases of repeats which are about to be dropped and which the ledger would open: failed ones, and those that it
    /// does not have any more. One statement for a chunk, and only if it has repeats. Nobody but the ledger knows: any
    /// process may have answered.
    private func reopenable(
        among records: [Record], _ keys: [DedupeKey?], _ known: [Digest?]
    ) async -> Set<UUID> {
        guard let cases, known.contains(where: { $0 != nil }) else { return [] }
        var recalled = known.makeIterator()
        let repeats = zip(records, keys).compactMap { record, key -> UUID? in
            guard key != nil, let settled = recalled.next() ?? nil,
                settled == record.contentDigest
            else { return nil }
            return record.id
        }
        if repeats.isEmpty { return [] }
        // While it can't be asked, repeats go on: it finds them out itself.
        do { return try await cases.reopenable(of: repeats) } catch { return Set(repeats) }
    }

    /// Repeats of what is under way in another chunk wait for its end: they are dropped only if it is safe.
    private func awaitLanding(of keys: [DedupeKey?], _ chunk: Chunk) async throws {
        if passesUnsettled { return }
        let ahead = flying.withLock { flying in
            zip(chunk.records, keys).compactMap { record, key -> AsyncEvent? in
                guard let key, let ahead = flying[key],
                    ahead.acknowledgement != ObjectIdentifier(chunk.acknowledgement),
                    ahead.digest == record.contentDigest
                else { return nil }
                return ahead.hasLanded
            }
        }
        for event in ahead { try await event.wait() }
    }

    private func remember(
        _ boarded: Boarding, when acknowledgement: Acknowledgement, _ hasLanded: AsyncEvent
    ) {
        if boarded.isEmpty { return }
        acknowledgement.observe { [self, unowned acknowledgement] settlement in
            if case .acknowledged = settlement {
                let rejected = acknowledgement.rejectedOrdinals
                memory.remember(
                    boarded.compactMap { key, passenger in
                        rejected.contains(passenger.ordinal) ? nil : (key, passenger.digest)
                    })
            }
            flying.withLock { flying in
                for (key, passenger) in boarded {
                    guard let landed = flying.removeValue(forKey: key),
                        landed.acknowledgement != passenger.acknowledgement
                    else { continue }
                    flying[key] = landed
                }
            }
            hasLanded.set()
        }
    }
}
