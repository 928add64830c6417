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
    /// Rewinding partitions that are paused before that, and until when.
    private(set) var pauses: [Int32: Instant] = [:]
    /// Of those, the ones that are not fetched meanwhile.
    private(set) var fetchPaused: Set<Int32> = []
    private(set) var isClosed = false
    /// The group can't be joined before the topic has appeared.
    var isTopicMissing = false
    private var lastCommit: Instant
    /// What positions are kept under, once the cluster has said who it is.
    var log: LogName?
    /// What advances name the log by.
    private(set) var source = ""
    var continuity = LogContinuity()
    private var lastLook: Instant

    init(now: Instant) {
        lastCommit = now
        lastLook = now
    }

    /// Starts (or starts again) reading at stored positions, of a log that has just been looked at.
    mutating func start(_ stored: StoredPositions, now: Instant) {
        if stored.source != source {
            // Positions of the log before can't be moved any more.
            for partition in partitions.keys where stored.next[partition] == nil {
                rewind(partition)
            }
        }
        source = stored.source
        for (partition, position) in stored.next {
            partitions[partition] = PartitionProgress(position: position)
            rewinding.remove(partition)
            endPause(of: partition)
            continuity.start(partition, witness: stored.witnesses[partition])
        }
        if partitions.count == stored.next.count { looked(now: now) }
    }

    mutating func stop(_ stopped: [Int32]) {
        for partition in stopped {
            partitions[partition] = nil
            rewinding.remove(partition)
            endPause(of: partition)
            continuity.stop(partition)
        }
    }

    /// Whether it is time to look whether the log is still the same one: something was read since
    /// the last time, or is about to be. Sooner where nothing waits to be read: then a stop would
    /// leave more behind than it has to.
    func isLookDue(now: Instant, recordsWait: Bool) -> Bool {
        let pause = recordsWait ? KafkaConsumer.lookInterval : KafkaConsumer.quietInterval
        return now >= lastLook.advanced(by: pause) && (recordsWait || continuity.hasNews)
            && !continuity.proven.isEmpty
    }

    /// When a look is due although nothing comes.
    var lookDue: Instant? {
        continuity.hasNews ? lastLook.advanced(by: KafkaConsumer.quietInterval) : nil
    }

    /// Up to where a partition has been read; `nil` unless it is assigned.
    func position(of partition: Int32) -> Int64? {
        isClosed ? nil : partitions[partition]?.position
    }

    mutating func looked(now: Instant) { lastLook = now }

    /// Something has happened after which the log may be another one.
    mutating func doubtLog() { for partition in partitions.keys { rewind(partition) } }

    mutating func rewind(_ partition: Int32) {
        if partitions[partition] != nil { rewinding.insert(partition) }
    }

    mutating func rewindAll() { rewinding.formUnion(partitions.keys) }

    /// Rewinds a partition that is paused until then.
    mutating func rewind(_ partition: Int32, notBefore: Instant) {
        guard partitions[partition] != nil else { return }
        rewinding.insert(partition)
        pauses[partition] = notBefore
    }

    /// The partitions whose pause has begun: they count as not fetched then.
    mutating func takeNewPauses() -> [Int32] {
        if pauses.count == fetchPaused.count { return [] }
        let new = pauses.keys.filter { !fetchPaused.contains($0) }
        fetchPaused.formUnion(new)
        return new.sorted()
    }

    private mutating func endPause(of partition: Int32) {
        pauses[partition] = nil
        fetchPaused.remove(partition)
    }

    /// The partitions to rewind now.
    func rewindsDue(now: Instant) -> Set<Int32> {
        pauses.isEmpty ? rewinding : rewinding.filter { pauses[$0].map { $0 <= now } ?? true }
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
        guard !rewinding.contains(advance.partition), advance.source == source else { return }
        partitions[advance.partition]?.settle(from: advance.expected, to: advance.next)
    }

    /// Nothing readable is left before `offset`, which may lie behind a transaction's marker.
    mutating func reachedEnd(_ partition: Int32, _ offset: Int64) {
        partitions[partition]?.reachedEnd(offset)
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

/// How far one assigned partition has been read and settled. No I/O.
private struct PartitionProgress: Sendable, Equatable {
    /// What the next advance expects: the stored position, or one after the last record handed out.
    private(set) var next: Int64
    /// Everything before this has settled.
    private var settled: Int64
    /// Settled ranges that lie beyond an open one, by their beginnings.
    private var early: [Int64: Int64] = [:]
    private var committed: Int64
    /// Where the log ended when its end was last reached: behind markers and what readers don't get
    /// to see.
    private var end: Int64

    /// Reading begins at the stored position.
    init(position: Int64) {
        next = position
        settled = position
        committed = position
        end = position
    }

    /// The log's end was reached: nothing that can be read stands before `offset`.
    mutating func reachedEnd(_ offset: Int64) { end = max(end, offset) }

    /// Everything before this has been handed out, or is not for readers.
    var position: Int64 { max(next, end) }

    /// What can be committed: up to the log's end if all that was read has settled. The stored
    /// position does not move: it goes on from the last record.
    private var committable: Int64 { settled == next ? max(settled, end) : settled }

    /// Takes a record in.
    /// - Returns: `false` for one that lies before what was already read: the log has been cut
    ///   back.
    mutating func admit(_ offset: Int64) -> Bool {
        guard offset >= next else { return false }
        next = offset + 1
        return true
    }

    /// Settles a range; only what is settled without a gap can be committed.
    mutating func settle(from expected: Int64, to next: Int64) {
        guard expected >= settled, next <= self.next else { return }
        early[expected] = max(next, early[expected] ?? next)
        while let end = early.removeValue(forKey: settled) { settled = end }
    }

    /// The offset to commit, if there is a new one; it counts as committed then.
    mutating func takeCommit() -> Int64? {
        guard committable > committed else { return nil }
        committed = committable
        return committable
    }

    /// The last commit did not work.
    mutating func uncommit(_ offset: Int64) { committed = min(committed, offset - 1) }

    var isCommitted: Bool { committable <= committed }
}
