/// How far one assigned partition has been read and settled. No I/O.
struct PartitionProgress: Sendable, Equatable {
    /// What the next advance expects: the stored position, or one after the last record handed out.
    private(set) var next: Int64
    /// Everything before this has settled.
    private(set) var settled: Int64
    /// Settled ranges that lie beyond an open one, by their beginnings.
    private var early: [Int64: Int64] = [:]
    private var committed: Int64
    /// Where the log ended when its end was last reached: behind markers and what readers don't get to see.
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

    /// What can be committed: up to the log's end if all that was read has settled. The stored position does not move: it
    /// goes on from the last record.
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
