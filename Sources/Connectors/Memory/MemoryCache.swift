internal import ConfigurationFields
public import PipelineCore
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

/// Entries bounded in bytes; every operation takes constant time, eviction amortised.
///
/// SIEVE ([Zhang et al., NSDI
/// 2024](https://www.usenix.org/conference/nsdi24/presentation/zhang-yazhuo)): a queue from newest
/// to oldest and a hand that moves towards the newest, evicting what was not read since it last
/// passed. Unlike with LRU a read moves nothing.
struct SieveEntries: Sendable {
    /// What an entry costs beside its key and its value: array headers, links, its share of the
    /// index.
    private static let overheadBytes = 160

    private struct Node {
        var key: String
        var value: Bytes
        var expiry: Instant
        var wasRead = false
        var newer: Int?
        // Apart, since optionals and others may not share a `var`.
        var older: Int?
    }

    private(set) var usedBytes = 0
    private let capacityBytes: Int
    private var nodes: [Node] = []
    private var free: [Int] = []
    private var index: [String: Int] = [:]
    private var newest: Int?
    private var oldest: Int?
    /// Where the search for a victim goes on; `nil` at the oldest.
    private var hand: Int?

    init(capacityBytes: Int) { self.capacityBytes = capacityBytes }

    static func cost(_ entry: CacheEntry) -> Int {
        entry.key.utf8.count + entry.value.count + overheadBytes
    }

    /// The value, which this counts as read; an expired entry is dropped.
    mutating func value(of key: String, now: Instant) -> Bytes? {
        guard let at = index[key] else { return nil }
        guard nodes[at].expiry > now else {
            drop(at)
            return nil
        }
        nodes[at].wasRead = true
        return nodes[at].value
    }

    /// Stores the entry, which must fit by itself, evicting others as needed.
    mutating func insert(_ entry: CacheEntry, now: Instant) {
        remove(entry.key)
        let cost = Self.cost(entry)
        while usedBytes + cost > capacityBytes { evict(now: now) }
        // A copy of its own: a slice would keep the whole chunk that it was cut from.
        let value = Bytes(Array(entry.value))
        let expiry = now.advanced(by: max(entry.timeToLive, .milliseconds(1)))
        let node = Node(key: entry.key, value: value, expiry: expiry, newer: nil, older: newest)
        let at: Int
        if let reused = free.popLast() {
            nodes[reused] = node
            at = reused
        } else {
            at = nodes.count
            nodes.append(node)
        }
        if let newest { nodes[newest].newer = at } else { oldest = at }
        newest = at
        index[entry.key] = at
        usedBytes += cost
    }

    private mutating func remove(_ key: String) {
        if let at = index[key] { drop(at) }
    }

    private mutating func evict(now: Instant) {
        guard var at = hand ?? oldest else { preconditionFailure("an entry larger than the cache") }
        while nodes[at].wasRead && nodes[at].expiry > now {
            nodes[at].wasRead = false
            guard let next = nodes[at].newer ?? oldest else { break }
            at = next
        }
        hand = nodes[at].newer
        drop(at)
    }

    private mutating func drop(_ at: Int) {
        let node = nodes[at]
        if let newer = node.newer { nodes[newer].older = node.older } else { newest = node.older }
        if let older = node.older { nodes[older].newer = node.newer } else { oldest = node.newer }
        if hand == at { hand = node.newer }
        index[node.key] = nil
        usedBytes -= node.key.utf8.count + node.value.count + Self.overheadBytes
        nodes[at] = Node(key: "", value: [], expiry: Instant(nanoseconds: 0))
        free.append(at)
    }
}
