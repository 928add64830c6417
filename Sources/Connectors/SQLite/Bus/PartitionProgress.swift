internal import PipelineCore

/// How far a consumer has read one partition, and how far that has settled: a state machine without
/// I/O.
struct PartitionProgress: Sendable {
    /// Where to read next; `nil`: read the stored position first.
    private(set) var position: Int64?
    /// What has been handed out and is not settled: from its first offset to the one after its
    /// last.
    private var unsettled: [Int64: Int64] = [:]
    /// What has settled before something in front of it.
    private var ahead: [Int64: Int64] = [:]
    /// Everything before it has settled.
    private(set) var settled: Int64 = 0
    /// The position as it was last stored.
    private(set) var stored: Int64 = 0

    /// Nothing is under way, nothing waits to be stored.
    func isIdle(storesPositions: Bool) -> Bool {
        unsettled.isEmpty && (!storesPositions || settled == stored)
    }

    mutating func start(at position: Int64) {
        self = PartitionProgress()
        self.position = position
        settled = position
        stored = position
    }

    mutating func handOut(to next: Int64) {
        guard let position else { return }
        unsettled[position] = next
        self.position = next
    }

    /// Unknown steps are ignored: they were rewound.
    mutating func settle(_ advance: PositionAdvance) {
        guard unsettled[advance.expected] == advance.next else { return }
        unsettled[advance.expected] = nil
        ahead[advance.expected] = advance.next
        while let next = ahead.removeValue(forKey: settled) { settled = next }
    }

    mutating func markStored(_ position: Int64) { stored = position }

    /// Forgets what is under way; what has settled stays to be stored.
    mutating func rewind() {
        position = nil
        unsettled = [:]
        ahead = [:]
    }
}
