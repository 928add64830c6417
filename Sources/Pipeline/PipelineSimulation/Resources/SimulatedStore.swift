public import PipelineCore
internal import Synchronization

/// A database server of a simulated world, as the worker of a store that runs its calls inline.
///
/// `SQLiteDatabase(path: ":memory:") { SimulatedStore(…) }` becomes a server that simulated
/// processes share: each transaction is one call, which may take its time, be refused, or be done
/// without its answer arriving, and which a killed process has asked for none the less. The code
/// around the transactions runs in the process, and is killed and paused with it, between two
/// transactions too.
public struct SimulatedStore: BlockingWorker {
    /// Hears that a call has been done.
    public typealias Observer = @Sendable (_ succeeded: Bool) -> Void

    private let resource: SharedResource
    private let observer: @Sendable () -> Observer

    /// - Parameter observer: asked in the calling task when a call is made; what it answers is
    ///   called as soon as the call has been done, before anything else happens.
    public init(
        weather: Weather = Weather(), observer: @escaping @Sendable () -> Observer = { { _ in } }
    ) {
        self.observer = observer
        resource = SharedResource(
            weather: weather,
            error: .retryable(.storeUnavailable, "the simulated store does not answer"))
    }

    public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        guard SimulatedProcess.current != nil else { return try body() }
        let done = observer()
        return try await resource.call {
            let result = Result { try body() }
            if case .success = result { done(true) } else { done(false) }
            return try result.get()
        }
    }
}

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
            error: .retryable(.cacheUnavailable, "the simulated cache does not answer"))
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

    private static func stored(_ entry: CacheEntry, _ now: Instant) -> Entry {
        Entry(
            value: entry.value,
            expiry: now.advanced(by: max(entry.timeToLive, .milliseconds(1))))
    }

    public func probe() async throws { try await resource.call {} }
    public func close() async {}
}
