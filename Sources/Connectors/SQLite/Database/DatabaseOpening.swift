internal import PipelineCore

/// How a connection is opened: the same settings every time.
struct DatabaseOpening: Sendable {
    /// "PENS", kept in the file's header
    /// ([application_id](https://www.sqlite.org/pragma.html#pragma_application_id)).
    private static let applicationID: Int64 = 0x5045_4E53

    let file: DatabaseFile
    let busyTimeout: Duration
    let logLimit: Int

    func open(readOnly: Bool) throws -> sending SQLiteConnection {
        try file.create()
        let connection = try SQLiteConnection(path: file.path)
        connection.setBusyTimeout(busyTimeout)
        let isNew = try Self.checkOwner(connection, of: file)
        try useLog(connection)
        try connection.execute("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON")
        try connection.execute("PRAGMA temp_store=MEMORY")
        try connection.execute("PRAGMA wal_autocheckpoint=1000")
        try connection.execute("PRAGMA journal_size_limit=\(logLimit)")
        try connection.execute("PRAGMA cache_size=-\(readOnly ? 16_384 : 65_536)")
        if isNew { try connection.execute("PRAGMA application_id=\(Self.applicationID)") }
        if readOnly { try connection.execute("PRAGMA query_only=ON") }
        return connection
    }

    /// Switches to a write-ahead log. That needs an exclusive moment once, and is kept in the file
    /// from then on.
    private func useLog(_ connection: SQLiteConnection) throws {
        let mode = try connection.first("PRAGMA journal_mode=WAL") { $0.text(0) }
        guard mode == "wal" || file.isInMemory else {
            throw PipelineError.fatal(
                "store-not-writable",
                "\(file.path) can't have a write-ahead log (it stays \(mode ?? "without a mode")): "
                    + "put it on a local disk")
        }
    }

    /// Refuses the database of another program before anything is changed. Answers whether the file
    /// is empty.
    static func checkOwner(_ connection: SQLiteConnection, of file: DatabaseFile) throws -> Bool {
        let owner = try connection.first("PRAGMA application_id") { $0.int64(0) }
        if owner == Self.applicationID { return false }
        let tables = try connection.first("SELECT count(*) FROM sqlite_schema") { $0.int(0) }
        guard owner == 0, tables == 0 else {
            throw PipelineError.fatal(
                "foreign-database",
                "\(file.path) is a database of another program; name another file")
        }
        return true
    }
}
