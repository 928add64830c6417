internal import Concurrency
internal import Logging
internal import PipelineCore
internal import Synchronization

/// 128 bits that stand for a key.
struct DedupeKey: Sendable, Hashable {
    private var high: UInt64
    private var low: UInt64
    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
    init(_ digest: Digest) { self.init(high: digest.high, low: digest.low) }

    var text: String { UUID(high: high, low: low).description }
}

/// Remembers which content settled under a key.
protocol DedupeMemory: Sendable {
    /// What is remembered for each key, in order.
    func recall(_ keys: [DedupeKey]) async -> [Digest?]
    /// Notes what has settled. Must not block.
    func remember(_ entries: [(key: DedupeKey, digest: Digest)])
    /// Works beside that, until the task is cancelled or there is nothing to do.
    func run() async throws
}

extension DedupeMemory {
    func run() async throws {}
}

/// Keys in memory of the process, bounded in number and age; the oldest goes first.
final class ProcessDedupeMemory: DedupeMemory {
    private struct Entry {
        var key: DedupeKey
        var expiry: Instant
    }
    private struct State {
        var digests: [DedupeKey: Digest] = [:]
        /// A circular queue in order of expiry; stale entries (an overwritten key) expire
        /// harmlessly early.
        var queue: [Entry] = []
        var head = 0

        mutating func expire(at now: Instant) {
            while head < queue.count, queue[head].expiry <= now { dropOldest() }
        }

        mutating func dropOldest() {
            guard head < queue.count else { return }
            digests[queue[head].key] = nil
            head += 1
            if head > 1024, head * 2 > queue.count {
                queue.removeFirst(head)
                head = 0
            }
        }
    }
    private let state = Mutex(State())
    private let window: Duration
    private let maxKeys: Int
    private let clock: PipelineClock

    init(window: Duration, maxKeys: Int, clock: PipelineClock) {
        self.window = window
        self.maxKeys = maxKeys
        self.clock = clock
    }

    func recall(_ keys: [DedupeKey]) async -> [Digest?] {
        let now = clock.now
        return state.withLock { state in
            state.expire(at: now)
            return keys.map { state.digests[$0] }
        }
    }

    func remember(_ entries: [(key: DedupeKey, digest: Digest)]) {
        let now = clock.now
        state.withLock { state in
            state.expire(at: now)
            for (key, digest) in entries {
                if state.digests.count >= maxKeys { state.dropOldest() }
                if state.digests.updateValue(digest, forKey: key) == nil {
                    state.queue.append(Entry(key: key, expiry: now.advanced(by: window)))
                }
            }
        }
    }
}

/// Keys in a cache that workers share, written as soon as they have settled, in that order.
///
/// An unreachable cache remembers nothing, so repeats go on.
final class CacheDedupeMemory: DedupeMemory {
    /// Settled keys that may wait for being written; the oldest are forgotten first.
    static let maxUnwritten = 65_536
    /// Most keys in one round trip.
    static let batchSize = 512

    private struct Settled: Sendable {
        var key: DedupeKey
        var digest: Digest
        /// The window begins here, however long the writing takes.
        var at: Instant
    }
    private struct State {
        var unwritten: [Settled] = []
        /// What this process remembers already: not written yet, or being written.
        var digests: [DedupeKey: (digest: Digest, at: Instant)] = [:]

        /// Leaves what has settled again since.
        mutating func forget(_ entries: some Sequence<Settled>) {
            for entry in entries where digests[entry.key]?.at == entry.at {
                digests[entry.key] = nil
            }
        }
    }
    private let cache: any Cache
    private let prefix: String
    private let window: Duration
    private let clock: PipelineClock
    private let outage: Outage
    private let state = Mutex(State())
    private let settled = Signal()

    init(cache: any Cache, prefix: String, window: Duration, context: StageContext) {
        self.cache = cache
        self.prefix = prefix
        self.window = window
        clock = context.clock
        outage = Outage(
            "stage \(context.stage): remember keys",
            "the cache of keys can't be reached: repeats go on to the ledger",
            among: context.outages)
    }

    func remember(_ entries: [(key: DedupeKey, digest: Digest)]) {
        let now = clock.now
        state.withLock { state in
            for (key, digest) in entries {
                state.unwritten.append(Settled(key: key, digest: digest, at: now))
                state.digests[key] = (digest, now)
            }
            let excess = state.unwritten.count - Self.maxUnwritten
            if excess > 0 {
                state.forget(state.unwritten.prefix(excess))
                state.unwritten.removeFirst(excess)
            }
        }
        settled.send()
    }

    func recall(_ keys: [DedupeKey]) async -> [Digest?] {
        var found = state.withLock { state in keys.map { state.digests[$0]?.digest } }
        let missing = keys.indices.filter { found[$0] == nil }
        if missing.isEmpty { return found }
        do {
            let values = try await cache.values(of: missing.map { prefix + keys[$0].text })
            outage.succeeded()
            // Anything else than a digest's 16 bytes is somebody else's, and nothing to us.
            for (index, value) in zip(missing, values) {
                found[index] = value.flatMap { UUID(bytes: $0) }
                    .map { Digest(high: $0.high, low: $0.low) }
            }
        } catch {
            if !(error is CancellationError) { outage.failed(error) }
        }
        return found
    }

    /// Writes what has settled, until the task is cancelled.
    func run() async throws {
        while true {
            try await settled.wait()
            while true {
                let batch = state.withLock { state in
                    let batch = Array(state.unwritten.prefix(Self.batchSize))
                    state.unwritten.removeFirst(batch.count)
                    return batch
                }
                if batch.isEmpty { break }
                await write(batch)
                state.withLock { $0.forget(batch) }
                try Task.checkCancellation()
            }
        }
    }

    private func write(_ batch: [Settled]) async {
        let now = clock.now
        let entries = batch.compactMap { entry -> CacheEntry? in
            let left = window - entry.at.duration(to: now)
            guard left > .zero else { return nil }
            return CacheEntry(
                key: prefix + entry.key.text,
                value: UUID(high: entry.digest.high, low: entry.digest.low).bytes[...],
                timeToLive: left)
        }
        if entries.isEmpty { return }
        do {
            try await cache.set(entries)
            outage.succeeded()
        } catch {
            if !(error is CancellationError) { outage.failed(error) }
        }
    }
}
