internal import ConfigurationFields
internal import Synchronization

/// A cache in memory of the process, bounded in bytes (`memory:64MiB`).
///
/// Never waits for anything. What it evicts is chosen by
/// [SIEVE](https://cachemon.github.io/SIEVE-website/): an entry that was read since the hand last
/// passed stays. Losing the process loses the cache.
public final class MemoryCache: Cache {
    private let entries: Mutex<SieveEntries>
    private let clock: PipelineClock
    /// The most bytes that keys, values and their bookkeeping take.
    public let capacityBytes: Int

    /// - Parameters:
    ///   - capacityBytes: keys, values and their bookkeeping; positive.
    ///   - clock: what entries expire by.
    public init(capacityBytes: Int, clock: PipelineClock) {
        precondition(capacityBytes > 0, "a cache without room")
        self.capacityBytes = capacityBytes
        self.clock = clock
        entries = Mutex(SieveEntries(capacityBytes: capacityBytes))
    }

    /// Reads `memory:64MiB`.
    /// - Throws: ``PipelineError`` `invalid-resource` for a malformed size or any property.
    public convenience init(address: ResourceAddress, clock: PipelineClock) throws(PipelineError) {
        let size: ByteCount
        do throws(Refusal) {
            size = try ByteCount(parsing: address.rest)
        } catch {
            throw .fatal(
                .invalidResource,
                "\(address): \"\(address.rest)\" \(error.message)"
                    + (error.hint.map { "; \($0)" } ?? ""))
        }
        guard size.bytes > 0 else {
            throw .fatal(.invalidResource, "\(address): a cache needs room; write memory:64MiB")
        }
        if let property = address.properties.keys.min() {
            throw .fatal(.invalidResource, "\(address) has no property \"\(property)\"")
        }
        self.init(capacityBytes: size.bytes, clock: clock)
    }

    /// What the entries take now; expired ones count until they are looked up or evicted.
    public var usedBytes: Int { entries.withLock { $0.usedBytes } }

    public func get(_ keys: [String]) async throws -> [Bytes?] {
        let now = clock.now
        return entries.withLock { entries in keys.map { entries.value(of: $0, now: now) } }
    }

    public func set(_ new: [CacheEntry]) async throws {
        try checkSizes(new)
        let now = clock.now
        entries.withLock { entries in
            for entry in new { entries.insert(entry, now: now) }
        }
    }

    /// The value of one key, without suspending: for callers on a thread that must not wait.
    public func value(of key: String) -> Bytes? {
        let now = clock.now
        return entries.withLock { $0.value(of: key, now: now) }
    }

    /// Stores one entry, without suspending; one that does not fit is left out.
    public func keep(_ entry: CacheEntry) {
        if SieveEntries.cost(entry) > capacityBytes { return }
        let now = clock.now
        entries.withLock { $0.insert(entry, now: now) }
    }

    public func probe() async throws {}
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        [ResourceFinding(.ok, "in memory of the process, shared with nobody")]
    }
    public func close() async {}

    private func checkSizes(_ new: [CacheEntry]) throws(PipelineError) {
        for entry in new {
            let cost = SieveEntries.cost(entry)
            if cost <= capacityBytes { continue }
            throw .permanent(
                .cacheEntryTooLarge,
                "an entry of \(cost) bytes does not fit into a cache of \(capacityBytes)")
        }
    }
}
