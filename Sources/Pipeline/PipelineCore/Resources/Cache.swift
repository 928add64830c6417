/// A key-value cache with expiry: Redis, or memory of the process.
///
/// Losing it costs hits, never answers: callers treat every error as a miss.
public protocol Cache: Resource {
    /// The values, in the keys' order; `nil` for a miss. One round trip.
    func get(_ keys: [String]) async throws -> [Bytes?]
    /// Stores the entries, replacing what is there. One round trip.
    /// - Throws: ``PipelineError`` `cache-entry-too-large`, permanent, before anything is stored.
    func set(_ entries: [CacheEntry]) async throws
}

public struct CacheEntry: Sendable {
    public var key: String
    public var value: Bytes
    /// How long the entry may be served; less than a millisecond counts as one.
    public var timeToLive: Duration
    public init(key: String, value: Bytes, timeToLive: Duration) {
        self.key = key
        self.value = value
        self.timeToLive = timeToLive
    }
}
