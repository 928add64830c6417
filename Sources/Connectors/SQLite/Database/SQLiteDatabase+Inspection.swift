internal import Concurrency
internal import Glibc
public import PipelineCore

extension SQLiteDatabase {
    /// Whether there is a file, or none is needed.
    public var exists: Bool { isInMemory || file.exists }

    /// Says whether the file is there and free, and lends a connection that can't write. Makes no
    /// file, not even those that SQLite keeps beside its own.
    ///
    /// - Parameter body: finds more; its connection is `nil` when there is no file yet.
    /// - Throws: ``PipelineCore/PipelineError`` when the file can't be used.
    public func inspect(
        _ body: @escaping @Sendable (SQLiteConnection?) throws -> [ResourceFinding]
    ) async throws -> [ResourceFinding] {
        if isInMemory { return try [ResourceFinding(.ok, "in memory of the process")] + body(nil) }
        let (file, busyTimeout) = (file, busyTimeout)
        return try await WorkerThread().run {
            guard file.exists else {
                try file.checkCreatable()
                return try [ResourceFinding(.ok, "will be created")]
                    + Self.findings(freeBytes: file.freeBytes) + body(nil)
            }
            try file.checkWritable()
            var found = [ResourceFinding(.ok, "is there, \(file.bytes >> 10) KiB")]
            found += Self.findings(freeBytes: file.freeBytes)
            if let holder = try SQLiteRunLock.holder(of: file) {
                found.append(
                    ResourceFinding(
                        "run lock", .wrong, "is held by \(holder)",
                        hint: "one `run` at a time: stop it first"))
            }
            guard let connection = try Self.connection(lookingAt: file, busyTimeout) else {
                return found + [
                    ResourceFinding(
                        "tables", .unknown,
                        "not looked at: a process that ended early left a log, which the next `run` takes up"
                    )
                ]
            }
            _ = try DatabaseOpening.checkOwner(connection, of: file)
            return try found + body(connection)
        }
    }

    /// The write-ahead log may take that much by itself before it is emptied.
    static let leastFreeBytes = 64 << 20
    /// Less is worth a word.
    private static let fewFreeBytes = 1 << 30

    /// Nothing while there is room.
    static func findings(freeBytes: Int?) -> [ResourceFinding] {
        guard let freeBytes, freeBytes < fewFreeBytes else { return [] }
        let free = "\(freeBytes >> 20) MiB are free"
        if freeBytes < leastFreeBytes {
            return [
                ResourceFinding(
                    "disk", .wrong, "\(free), the log alone takes up to \(leastFreeBytes >> 20)",
                    hint: "free some space, or name a file on another disk")
            ]
        }
        return [
            ResourceFinding(
                "disk", .ok, free, hint: "below 1 GiB: a full disk stops everything but reads")
        ]
    }

    /// Without a log nobody is using the file, and it can be read as it is; with one, the memory
    /// that its users share has to be there already. `nil` when it is not.
    private static func connection(
        lookingAt file: DatabaseFile, _ busyTimeout: Duration
    ) throws -> SQLiteConnection? {
        if file.logBytes == 0 && !file.hasSharedMemory {
            return try SQLiteConnection(lookingAt: file.path, mode: "immutable=1")
        }
        guard file.hasSharedMemory else { return nil }
        let connection = try SQLiteConnection(lookingAt: file.path, mode: "readonly_shm=1")
        connection.setBusyTimeout(busyTimeout)
        do {
            _ = try connection.first("SELECT count(*) FROM sqlite_schema") { $0.int(0) }
            return connection
        } catch let error as PipelineError where error.code == .storeNotWritable {
            return nil
        }
    }
}

extension SQLiteConnection {
    /// How many steps of a component the file has seen; 0 for none.
    public func version(of component: String) throws -> Int {
        guard try hasTable("schema_versions") else { return 0 }
        return try first(
            "SELECT version FROM schema_versions WHERE component = ?1", component
        ) { $0.int(0) } ?? 0
    }

    /// What is to be told about a component whose tables `run` creates and updates by itself.
    public func finding(_ subject: String, of migration: SQLiteMigration) throws
        -> ResourceFinding
    {
        let (version, known) = (try version(of: migration.component), migration.steps.count)
        if version > known {
            return ResourceFinding(
                subject, .wrong, "its tables have version \(version), this program knows \(known)",
                hint: "use the newer program, or another file")
        }
        if let step = try changedSteps(of: migration).first {
            return ResourceFinding(
                subject, .wrong,
                "step \(step) of its tables was made by another program: its text has changed since",
                hint: "use the build that made it, or one that leaves old steps as they were")
        }
        let state = version == 0 ? "are not there" : "have version \(version)"
        return ResourceFinding(
            subject, .ok,
            version == known
                ? "its tables \(state)" : "its tables \(state): `run` makes version \(known)")
    }

    /// Whether there is a table of that name.
    public func hasTable(_ name: String) throws -> Bool {
        try first("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", name) {
            $0.int(0)
        } != nil
    }
}
