internal import PipelineCore

/// How a connection is opened: the same settings every time.
struct DatabaseOpening: Sendable {
    /// "PENS", kept in the file's header ([application_id](https://www.sqlite.org/pragma.html#pragma_application_id)).
    private static let applicationID: Int64 = 0x5045_4E53

    let file: DatabaseFile
    let busyTimeout: Duration
    let logLimit: Int

    func open(readOnly: Bool) throws -> sending SQLiteConnection {
        try file.create()
        let connection = try SQLiteConnection(path: file.path)
        connection.setBusyTimeout(busyTimeout)
        let isNew = try checkOwner(connection)
        // WAL first: it needs an exclusive moment, and is kept in the file from then on.
        try connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
        try connection.execute("PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY")
        try connection.execute("PRAGMA wal_autocheckpoint=1000")
        try connection.execute("PRAGMA journal_size_limit=\(logLimit)")
        try connection.execute("PRAGMA cache_size=-\(readOnly ? 16_384 : 65_536)")
        if isNew { try connection.execute("PRAGMA application_id=\(Self.applicationID)") }
        if readOnly { try connection.execute("PRAGMA query_only=ON") }
        return connection
    }

    /// Refuses the database of another program before anything is changed. Answers whether the file is empty.
    private func checkOwner(_ connection: SQLiteConnection) throws -> Bool {
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
