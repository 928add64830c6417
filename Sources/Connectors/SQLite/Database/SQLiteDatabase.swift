public import PipelineCore

/// One SQLite file: a connection that writes, and another that reads meanwhile.
///
/// Durable: WAL with `synchronous=FULL`, so that what `write` returned survives a power failure
/// ([WAL](https://www.sqlite.org/wal.html)). Create one value for a file and share it. `:memory:`
/// is private to the value, has one connection, and lasts as long as the value.
///
/// All methods throw ``PipelineError``: `retryable` (`store-busy`, `store-full`, `store-io-error`,
/// `store-unavailable`), or `fatal` (`store-corrupt`, `not-a-database`, `foreign-database`,
/// `store-not-writable`, `store-schema`, `store-replaced`).
public final class SQLiteDatabase: Resource {
    /// As it was given.
    public let path: String
    let file: DatabaseFile
    private let writer: SQLiteLane
    private let reader: SQLiteLane
    private let logBound: LogBound
    /// Sent by topic when this process has appended to it.
    let topicSignals = SignalRegistry()

    /// Opens nothing: the first use does, and creates the file and its folder.
    ///
    /// - Parameters:
    ///   - path: the file, or `:memory:`.
    ///   - worker: makes a worker for each connection; by default a thread, or none for `:memory:`.
    ///   - busyTimeout: how long to wait for the lock of another process.
    ///   - logLimit: bytes of write-ahead log beyond which a write waits for readers and empties
    ///     it.
    public init(
        path: String, worker: (@Sendable () -> any BlockingWorker)? = nil,
        busyTimeout: Duration = .seconds(5), logLimit: Int = 64 << 20
    ) {
        let file = DatabaseFile(path: path)
        let isInMemory = file.isInMemory
        let make: @Sendable () -> any BlockingWorker =
            worker ?? { if isInMemory { InlineWorker() } else { WorkerThread() } }
        let opening = DatabaseOpening(file: file, busyTimeout: busyTimeout, logLimit: logLimit)
        self.path = path
        self.file = file
        writer = SQLiteLane(worker: make(), file: file) { try opening.open(readOnly: false) }
        reader =
            isInMemory
            ? writer : SQLiteLane(worker: make(), file: file) { try opening.open(readOnly: true) }
        logBound = LogBound(file: file, limit: logLimit)
    }

    /// A database in memory, used on the caller's thread.
    public static func inMemory() -> SQLiteDatabase { SQLiteDatabase(path: ":memory:") }

    public var isInMemory: Bool { file.isInMemory }

    /// What paths to the same file have in common.
    public static func location(of path: String) -> String {
        let file = DatabaseFile(path: path)
        return file.isInMemory ? path : file.location
    }

    /// Runs `body` in a transaction that holds the write lock from its beginning (`BEGIN
    /// IMMEDIATE`).
    ///
    /// Durable when it returns; nothing has changed when `body` throws. After another error nothing
    /// has changed either, unless the machine fails at the same time.
    public func write<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result
    ) async throws -> Result {
        try await writer.run { [logBound] connection in
            let result = try connection.transaction("BEGIN IMMEDIATE", body)
            logBound.enforce(on: connection)
            return result
        }
    }

    /// Runs `body` on one snapshot of what has been committed. Waits for no writer.
    public func read<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result
    ) async throws -> Result {
        try await reader.run { try $0.transaction("BEGIN", body) }
    }

    /// Moves the write-ahead log into the file and empties it, unless a reader is in the way. For
    /// idle times.
    public func checkpoint() async throws {
        if isInMemory { return }
        try await writer.run { try $0.execute("PRAGMA wal_checkpoint(TRUNCATE)") }
    }

    /// Opens an existing file and reads its catalogue; of one that is to be created, tries the
    /// folder.
    ///
    /// - Throws: also `store-full`, retryable, when the disk has hardly any room left.
    public func probe() async throws {
        if !isInMemory && !file.exists { return try file.checkCreatable() }
        if !isInMemory, let free = file.freeBytes, free < Self.leastFreeBytes {
            throw PipelineError.retryable(
                "store-full",
                "the disk of \(path) has \(free >> 10) KiB left: free space on it")
        }
        try await read { connection in
            _ = try connection.first("SELECT count(*) FROM sqlite_schema") { $0.int(0) }
        }
    }

    /// Closes the file; a later call opens it again. Does nothing in memory.
    public func close() async {
        if isInMemory { return }
        await reader.close()
        await writer.close()
    }
}
