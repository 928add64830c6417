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
