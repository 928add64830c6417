internal import Concurrency
public import Metrics
public import PipelineCore
internal import Synchronization

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
    private let writer: SQLiteSession
    /// Where the process's other databases of this file find the writer; `nil` if it is this one's.
    private let writers: SQLiteWriters?
    private let place: String
    private let hasLeft = Atomic(false)
    let busyTimeout: Duration
    private let reader: SQLiteSession
    private let logBound: LogBound
    private let writes: Histogram
    private let reads: Histogram
    /// Sent by topic when this process has appended to it.
    let topicSignals = SignalRegistry()

    /// Opens nothing: the first use does, and creates the file and its folder.
    ///
    /// - Parameters:
    ///   - path: the file, or `:memory:`.
    ///   - worker: makes a worker for each connection; by default a thread, or none for `:memory:`.
    ///   - busyTimeout: how long to wait for the lock of another process.
    ///   - writers: knows the process's other databases of the file, which write by the same
    ///     connection.
    ///   - logLimit: bytes of write-ahead log beyond which a write waits for readers and empties
    ///     it.
    ///   - metrics: takes the times of transactions.
    public init(
        path: String, worker: (@Sendable () -> any BlockingWorker)? = nil,
        busyTimeout: Duration = .seconds(5), among writers: SQLiteWriters? = nil,
        logLimit: Int = 64 << 20, metrics: MetricRegistry = MetricRegistry()
    ) {
        let file = DatabaseFile(path: path)
        let isInMemory = file.isInMemory
        let make: @Sendable () -> any BlockingWorker =
            worker ?? { if isInMemory { InlineWorker() } else { WorkerThread() } }
        let opening = DatabaseOpening(file: file, busyTimeout: busyTimeout, logLimit: logLimit)
        self.path = path
        self.file = file
        self.busyTimeout = busyTimeout
        self.writers = isInMemory ? nil : writers
        place = file.location
        let session: @Sendable () -> SQLiteSession = {
            SQLiteSession(worker: make(), file: file) { try opening.open(readOnly: false) }
        }
        writer = self.writers?.join(place, session) ?? session()
        reader =
            isInMemory
            ? writer
            : SQLiteSession(worker: make(), file: file) { try opening.open(readOnly: true) }
        logBound = LogBound(file: file, limit: logLimit)
        writes = metrics.histogram(.databaseSeconds, "sqlite", path, "write")
        reads = metrics.histogram(.databaseSeconds, "sqlite", path, "read")
    }

    /// A database in memory, used on the caller's thread.
    public static func inMemory() -> SQLiteDatabase { SQLiteDatabase(path: ":memory:") }

    public var isInMemory: Bool { file.isInMemory }

    /// The file, as SQLite names it in errors.
    public var backend: Backend? {
        isInMemory ? nil : Backend(.store, "SQLite at \(file.location)")
    }

    /// Bytes that the file takes with its log, and bytes that are free for this user on its disk;
    /// `nil` in memory, and where the disk does not tell. Two or three calls of the system.
    public var disk: (bytes: Int, freeBytes: Int)? {
        if isInMemory { return nil }
        return file.freeBytes.map { (file.bytes + file.logBytes, $0) }
    }

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
        try await writer.run { [logBound, writes] connection in
            try writes.time {
                let result = try connection.transaction("BEGIN IMMEDIATE", body)
                logBound.enforce(on: connection)
                return result
            }
        }
    }

    /// Runs `body` on one snapshot of what has been committed. Waits for no writer.
    public func read<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result
    ) async throws -> Result {
        try await reader.run { [reads] connection in
            try reads.time { try connection.transaction("BEGIN", body) }
        }
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
                .storeFull,
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
        if let writers {
            let isFirst = !hasLeft.exchange(true, ordering: .acquiringAndReleasing)
            guard isFirst, writers.leave(place) else { return }
        }
        await writer.close()
    }
}

/// The files that a process writes, each by one connection: SQLite has those who wait for its lock
/// try again now and then, and who has bad luck often enough gives up, however short each turn is.
/// Here they stand in line.
public final class SQLiteWriters: Sendable {
    private let known = Mutex<[String: (session: SQLiteSession, users: Int)]>([:])

    public init() {}

    fileprivate func join(
        _ place: String, _ make: @Sendable () -> SQLiteSession
    ) -> SQLiteSession {
        known.withLock { known in
            let session = known[place]?.session ?? make()
            known[place, default: (session, 0)].users += 1
            return session
        }
    }

    /// - Returns: whether it was the last of its file.
    fileprivate func leave(_ place: String) -> Bool {
        known.withLock { known in
            known[place]?.users -= 1
            guard known[place]?.users ?? 0 <= 0 else { return false }
            known[place] = nil
            return true
        }
    }
}

/// A connection and the worker it is used on, opened at the first use.
private final class SQLiteSession: Sendable {
    private let worker: any BlockingWorker
    private let file: DatabaseFile
    private let open: @Sendable () throws -> sending SQLiteConnection
    /// Under a lock as well as on a worker: an ``InlineWorker`` runs on whatever thread calls.
    private let connection = Mutex<SQLiteConnection?>(nil)
    /// Which file the connection has open.
    private let identity = Mutex<Inode?>(nil)

    init(
        worker: any BlockingWorker, file: DatabaseFile,
        open: @escaping @Sendable () throws -> sending SQLiteConnection
    ) {
        self.worker = worker
        self.file = file
        self.open = open
    }

    func run<Result: Sendable>(
        _ body: @escaping @Sendable (SQLiteConnection) throws -> Result
    ) async throws -> Result {
        try await worker.run { [self] in
            try connection.withLock { connection in
                if let connection {
                    try checkFile()
                    return try body(connection)
                }
                let opened = try open()
                connection = opened
                identity.withLock { $0 = Inode(path: file.path) }
                return try body(connection!)
            }
        }
    }

    /// SQLite goes on in a file that has been deleted, or moved away, as if nothing had happened.
    /// - Throws: `fatal` `store-replaced`.
    private func checkFile() throws {
        if file.isInMemory { return }
        let now = Inode(path: file.path)
        if now == identity.withLock({ $0 }) { return }
        throw PipelineError.fatal(
            .storeReplaced,
            "\(file.path) was \(now == nil ? "deleted" : "replaced by another file") while it was in use: "
                + "what would be written now would be lost with it; bring it back, or start anew with what is there"
        )
    }

    /// Closes the connection; the next use opens it again.
    func close() async {
        try? await worker.run { [self] in
            connection.withLock { $0 = nil }
        }
    }
}

/// Keeps the write-ahead log from growing without end.
///
/// SQLite's own checkpoints give way to readers, so that reads without a gap let the log grow.
/// Beyond a limit a write therefore waits for the readers, empties the log, and if they do not let
/// it, tries again only when the log has grown by as much again: a stuck reader costs one wait, not
/// one for every write.
private final class LogBound: Sendable {
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

/// The tables of one component of a file, as steps that have been shipped: append, never change
/// one.
public struct SQLiteMigration: Sendable {
    public var component: String
    /// SQL scripts; the version of a file is how many it has seen.
    public var steps: [String]
    public init(component: String, steps: [String]) {
        self.component = component
        self.steps = steps
    }

    /// What identifies the text of each step; a file keeps those of the steps it has seen.
    public var digests: [String] { steps.map { Digest(of: Bytes($0.utf8)).hexadecimal } }
}

extension SQLiteDatabase {
    /// Creates or updates a component's tables in one transaction. Safe to run again, and by two
    /// processes at once.
    ///
    /// - Throws: `fatal` `schema-newer` when a later version of the program has been at the file,
    ///   `store-changed` when a step that it has seen is not this program's.
    public func migrate(_ migration: SQLiteMigration) async throws {
        let path = path
        try await write { connection in
            try connection.execute(
                """
                CREATE TABLE IF NOT EXISTS schema_versions(
                  component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID
                """)
            let version =
                try connection.first(
                    "SELECT version FROM schema_versions WHERE component = ?1", migration.component
                ) { $0.int(0) } ?? 0
            guard version <= migration.steps.count else {
                throw PipelineError.fatal(
                    .schemaNewer,
                    "\(path) was written by a later version of this program "
                        + "(\(migration.component) \(version)); use that, or another file")
            }
            if let step = try connection.changedSteps(of: migration).first {
                throw PipelineError.fatal(
                    .storeChanged,
                    "step \(step) of \(migration.component) in \(path) was made by another program:"
                        + " its text has changed since; use the build that made it, or one that"
                        + " leaves old steps as they were")
            }
            for step in migration.steps[version...] { try connection.execute(step) }
            try connection.run(
                "INSERT OR REPLACE INTO schema_versions VALUES(?1, ?2)",
                migration.component, migration.steps.count)
            try connection.recordDigests(of: migration)
        }
    }
}

extension SQLiteConnection {
    /// The steps, counted from 1, whose text was another when the file saw them.
    func changedSteps(of migration: SQLiteMigration) throws -> [Int] {
        guard try hasTable("schema_steps") else { return [] }
        var changed: [Int] = []
        let digests = migration.digests
        try forEach(
            "SELECT version, digest FROM schema_steps WHERE component = ?1 ORDER BY version",
            migration.component
        ) { row in
            let version = row.int(0)
            if digests.indices.contains(version - 1), digests[version - 1] != row.text(1) {
                changed.append(version)
            }
        }
        return changed
    }

    /// Steps that an earlier program has made without a word about their text: it is taken to be
    /// this program's, once.
    fileprivate func recordDigests(of migration: SQLiteMigration) throws {
        try execute(
            """
            CREATE TABLE IF NOT EXISTS schema_steps(
              component TEXT NOT NULL, version INTEGER NOT NULL, digest TEXT NOT NULL,
              PRIMARY KEY(component, version)) WITHOUT ROWID
            """)
        for (index, digest) in migration.digests.enumerated() {
            try run(
                "INSERT OR IGNORE INTO schema_steps VALUES(?1, ?2, ?3)", migration.component,
                index + 1, digest)
        }
    }
}
