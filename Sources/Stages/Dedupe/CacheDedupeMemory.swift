internal import Logging
internal import PipelineCore
internal import Synchronization

/// Keys in a cache that workers share. An unreachable cache remembers nothing, so repeats go on.
final class CacheDedupeMemory: DedupeMemory {
    private let cache: any Cache
    private let prefix: String
    private let window: Duration
    private let logger: Logger
    private let settled = Mutex<[(key: DedupeKey, digest: Digest)]>([])

    init(cache: any Cache, prefix: String, window: Duration, logger: Logger) {
        self.cache = cache
        self.prefix = prefix
        self.window = window
        self.logger = logger
    }

    func remember(_ entries: [(key: DedupeKey, digest: Digest)]) {
        settled.withLock { $0 += entries }
    }

    func recall(_ keys: [DedupeKey]) async -> [Digest?] {
        let settled = settled.withLock { settled in
            defer { settled = [] }
            return settled
        }
        do {
            if !settled.isEmpty {
                try await cache.set(
                    settled.map { key, digest in
                        CacheEntry(
                            key: prefix + key.text,
                            value: UUID(high: digest.high, low: digest.low).bytes[...],
                            timeToLive: window)
                    })
            }
            return try await cache.get(keys.map { prefix + $0.text }).map { value in
                value.flatMap { UUID(bytes: $0) }.map { Digest(high: $0.high, low: $0.low) }
            }
        } catch {
            logger.debug("the cache of keys can't be reached", metadata: ["error": "\(error)"])
            return keys.map { _ in nil }
        }
    }
}
