internal import PipelineCore
internal import Synchronization

/// Keeps the write-ahead log from growing without end.
///
/// SQLite's own checkpoints give way to readers, so that reads without a gap let the log grow.
/// Beyond a limit a write therefore waits for the readers, empties the log, and if they do not let
/// it, tries again only when the log has grown by as much again: a stuck reader costs one wait, not
/// one for every write.
final class LogBound: Sendable {
    private let file: DatabaseFile
    private let limit: Int
    private let next: Mutex<Int>

    init(file: DatabaseFile, limit: Int) {
        self.file = file
        self.limit = limit
        next = Mutex(limit)
    }

    /// Called after each commit, on the writer's connection.
    func enforce(on connection: SQLiteConnection) {
        if file.isInMemory { return }
        let size = file.logBytes
        guard size > next.withLock({ $0 }) else { return }
        try? connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let left = file.logBytes
        next.withLock { $0 = left > limit ? left + limit : limit }
    }
}
