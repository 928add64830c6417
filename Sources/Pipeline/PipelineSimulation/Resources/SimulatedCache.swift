public import PipelineCore
internal import Synchronization

/// A cache server of a simulated world.
public final class SimulatedCache: Cache {
    private struct Entry {
        var value: Bytes
        var expiry: Instant
    }
    private let entries = Mutex<[String: Entry]>([:])
    private let clock: PipelineClock
    private let resource: SharedResource

    /// - Parameter clock: what entries expire by.
    public init(clock: PipelineClock, weather: Weather = Weather()) {
        self.clock = clock
        resource = SharedResource(
            weather: weather,
            error: .retryable("cache-unavailable", "the simulated cache does not answer"))
    }

    /// Restarts the server, which loses everything.
    public func lose() { entries.withLock { $0 = [:] } }

    public func get(_ keys: [String]) async throws -> [Bytes?] {
        try await resource.call { [self] in
            let now = clock.now
            return entries.withLock { entries in
                keys.map { key in entries[key].flatMap { now < $0.expiry ? $0.value : nil } }
            }
        }
    }

    public func set(_ new: [CacheEntry]) async throws {
        try await resource.call { [self] in
            let now = clock.now
            entries.withLock { entries in
                for entry in new { entries[entry.key] = Self.stored(entry, now) }
            }
        }
    }

    public func setIfAbsent(_ new: [CacheEntry]) async throws -> [Bool] {
        try await resource.call { [self] in
            let now = clock.now
            return entries.withLock { entries in
                new.map { entry in
                    if let there = entries[entry.key], now < there.expiry { return false }
                    entries[entry.key] = Self.stored(entry, now)
                    return true
                }
            }
        }
    }

    public func remove(_ keys: [String]) async throws {
        try await resource.call { [self] in
            entries.withLock { entries in
                for key in keys { entries[key] = nil }
            }
        }
    }

    private static func stored(_ entry: CacheEntry, _ now: Instant) -> Entry {
        Entry(
            value: entry.value,
            expiry: now.advanced(by: max(entry.timeToLive, .milliseconds(1))))
    }

    public func probe() async throws { try await resource.call {} }
    public func close() async {}
}
