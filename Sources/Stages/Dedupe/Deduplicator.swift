internal import PipelineCore
internal import Synchronization

/// Drops records whose key and content have settled already.
final class Deduplicator: Transform {
    /// The first record of a key, on its way to settlement.
    private struct Passenger: Sendable {
        var delivery: ObjectIdentifier
        var ordinal: Int
        var digest: Digest
        /// Opens when the delivery has settled.
        var hasLanded: Latch
    }
    private typealias Boarding = [(key: DedupeKey, passenger: Passenger)]

    private let memory: any DedupeMemory
    private let passesUnsettled: Bool
    private let key: @Sendable (Record) -> DedupeKey?
    private let flying = Mutex<[DedupeKey: Passenger]>([:])

    init(
        memory: any DedupeMemory, passesUnsettled: Bool,
        key: @escaping @Sendable (Record) -> DedupeKey?
    ) {
        self.memory = memory
        self.passesUnsettled = passesUnsettled
        self.key = key
    }

    func process(_ chunk: Chunk) async throws -> Chunk {
        let keys = chunk.records.map(key)
        try await awaitLanding(of: keys, chunk)
        let known = await memory.recall(keys.compactMap(\.self))
        var recalled = known.makeIterator()
        var passed = chunk
        passed.records.removeAll(keepingCapacity: true)
        let hasLanded = Latch()
        var boarded: Boarding = []
        for (record, key) in zip(chunk.records, keys) {
            guard let key else {
                passed.records.append(record)
                continue
            }
            let digest = record.contentDigest
            if let settled = recalled.next() ?? nil, settled == digest { continue }
            let passenger = Passenger(
                delivery: ObjectIdentifier(chunk.delivery), ordinal: record.ordinal, digest: digest,
                hasLanded: hasLanded)
            if let leader = board(passenger, under: key, &boarded) {
                chunk.delivery.follow(leader, record)
                continue
            }
            passed.records.append(record)
        }
        remember(boarded, when: chunk.delivery, hasLanded)
        return passed
    }

    /// Repeats of what is under way in another delivery wait for its end: they are dropped only if it is safe.
    private func awaitLanding(of keys: [DedupeKey?], _ chunk: Chunk) async throws {
        if passesUnsettled { return }
        for (record, key) in zip(chunk.records, keys) {
            guard let key, let ahead = flying.withLock({ $0[key] }),
                ahead.delivery != ObjectIdentifier(chunk.delivery),
                ahead.digest == record.contentDigest
            else { continue }
            try await ahead.hasLanded.wait()
        }
    }

    /// Notes the first record of a key; answers its ordinal to a repeat in the same delivery.
    private func board(
        _ passenger: Passenger, under key: DedupeKey, _ boarded: inout Boarding
    ) -> Int? {
        let ahead = flying.withLock { flying in
            if let ahead = flying[key] { return ahead as Passenger? }
            flying[key] = passenger
            return nil
        }
        guard let ahead else {
            boarded.append((key, passenger))
            return nil
        }
        let isRepeat =
            ahead.delivery == passenger.delivery && ahead.digest == passenger.digest
            && ahead.ordinal != passenger.ordinal
        return isRepeat ? ahead.ordinal : nil
    }

    private func remember(_ boarded: Boarding, when delivery: Delivery, _ hasLanded: Latch) {
        if boarded.isEmpty { return }
        delivery.observe { [self, unowned delivery] settlement in
            if case .acknowledged = settlement {
                memory.remember(
                    boarded.filter { !delivery.isRejected($0.passenger.ordinal) }
                        .map { ($0.key, $0.passenger.digest) })
            }
            flying.withLock { flying in
                for (key, passenger) in boarded where flying[key]?.delivery == passenger.delivery {
                    flying[key] = nil
                }
            }
            hasLanded.open()
        }
    }
}
