internal import PipelineCore

/// 128 bits that stand for a key.
struct DedupeKey: Sendable, Hashable {
    var high: UInt64
    var low: UInt64
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
