internal import PipelineCore

/// What a consumer knows of its partitions. No I/O.
///
/// A partition is here from the assignment's start to its end. Reports about others (late
/// settlements of a lost partition, say) change nothing: that keeps a zombie from committing over
/// its successor.
struct ConsumerProgress: Sendable {
    private var partitions: [Int32: PartitionProgress] = [:]
    /// Partitions whose stored positions have to be read again before anything more of them is
    /// handed out.
    private(set) var rewinding: Set<Int32> = []
    private(set) var isClosed = false
    /// The group can't be joined before the topic has appeared.
    var isTopicMissing = false
    private var lastCommit: Instant

    init(now: Instant) { lastCommit = now }

    /// Starts (or starts again) reading at stored positions.
    mutating func start(_ positions: [Int32: Int64]) {
        for (partition, position) in positions {
            partitions[partition] = PartitionProgress(position: position)
            rewinding.remove(partition)
        }
    }

    mutating func stop(_ stopped: [Int32]) {
        for partition in stopped {
            partitions[partition] = nil
            rewinding.remove(partition)
        }
    }

    mutating func rewind(_ partition: Int32) {
        if partitions[partition] != nil { rewinding.insert(partition) }
    }

    /// - Returns: `false` once it has been closed.
    mutating func close() -> Bool {
        defer { isClosed = true }
        return !isClosed
    }

    /// Takes a record in.
    /// - Returns: what the record's advance expects; `nil` when the record is not to be handed out.
    mutating func admit(_ partition: Int32, _ offset: Int64) -> Int64? {
        guard let expected = partitions[partition]?.next, !rewinding.contains(partition) else {
            return nil
        }
        if partitions[partition]!.admit(offset) { return expected }
        rewinding.insert(partition)
        return nil
    }

    mutating func settle(_ advance: PositionAdvance) {
        guard !rewinding.contains(advance.partition) else { return }
        partitions[advance.partition]?.settle(from: advance.expected, to: advance.next)
    }

    var hasUncommitted: Bool { partitions.values.contains { !$0.isCommitted } }

    /// When the next commit is due; `nil` with nothing to commit.
    var nextCommit: Instant? {
        hasUncommitted ? lastCommit.advanced(by: KafkaConsumer.commitInterval) : nil
    }

    /// Offsets to commit if it is time for it.
    mutating func takeDueCommits(now: Instant) -> [Int32: Int64] {
        guard let nextCommit, now >= nextCommit else { return [:] }
        lastCommit = now
        return takeCommits()
    }

    /// Offsets to commit: of all partitions, or some.
    mutating func takeCommits(of wanted: [Int32]? = nil) -> [Int32: Int64] {
        var offsets: [Int32: Int64] = [:]
        for partition in wanted ?? Array(partitions.keys) {
            if let offset = partitions[partition]?.takeCommit() { offsets[partition] = offset }
        }
        return offsets
    }

    /// These commits did not work.
    mutating func uncommit(_ offsets: [Int32: Int64]) {
        for (partition, offset) in offsets { partitions[partition]?.uncommit(offset) }
    }
}
