internal import CSQLite
internal import Calendar
internal import PipelineCore

/// One connection, lent to the body of a transaction and to nobody else.
///
/// Owns the C handle and the statements prepared on it. Not `Sendable`: it cannot leave the closure
/// it is lent to.
@safe public final class SQLiteConnection {
    private let handle: OpaquePointer
    /// Prepared once, kept until the connection closes. Their number is that of the texts in the
    /// program.
    private var statements: [String: SQLiteStatement] = [:]

    /// Opens the file, creating it if it is not there.
    convenience init(path: String) throws {
        try self.init(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, path: path)
    }

    /// Opens a file that is there, to read it.
    ///
    /// - Parameter mode: what else the [URI](https://www.sqlite.org/uri.html) says.
    convenience init(lookingAt path: String, mode: String) throws {
        var escaped = ""
        for scalar in path.unicodeScalars {
            switch scalar {
            case "%": escaped += "%25"
            case "?": escaped += "%3f"
            case "#": escaped += "%23"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        try self.init(
            "file:\(escaped)?mode=ro&\(mode)", SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, path: path)
    }

    private init(_ name: String, _ flags: Int32, path: String) throws {
        var opened: OpaquePointer?
        let code = unsafe sqlite3_open_v2(name, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let opened = unsafe opened else {
            let message = unsafe opened.map { unsafe String(cString: sqlite3_errmsg($0)) }
            unsafe sqlite3_close_v2(opened)
            throw SQLiteFailure.error(code, message ?? "out of memory", while: "open \(path)")
        }
        unsafe handle = opened
        unsafe sqlite3_extended_result_codes(handle, 1)
    }

    deinit {
        statements.removeAll()
        unsafe sqlite3_close_v2(handle)
    }

    /// How long a statement waits for another connection's lock before it fails with `store-busy`.
    func setBusyTimeout(_ timeout: Duration) {
        unsafe sqlite3_busy_timeout(handle, Int32(clamping: timeout.wholeMilliseconds))
    }

    /// Runs statements without parameters, separated by semicolons.
    public func execute(_ script: String) throws {
        guard unsafe sqlite3_exec(handle, script, nil, nil, nil) == SQLITE_OK else {
            throw unsafe SQLiteFailure.last(of: handle, while: "run \(Self.excerpt(script))")
        }
    }

    /// The statement of that text, prepared at its first use. Fetch it before a loop, not inside.
    public func statement(_ sql: String) throws -> SQLiteStatement {
        if let known = statements[sql] { return known }
        let prepared = try unsafe SQLiteStatement(on: handle, sql: sql)
        statements[sql] = prepared
        return prepared
    }

    /// Runs a statement to its end. Answers how many rows it changed.
    @discardableResult
    public func run<each Value: SQLiteValue>(
        _ sql: String, _ values: repeat each Value
    ) throws -> Int {
        try statement(sql).run(repeat each values)
    }

    /// What `read` makes of the first row; `nil` without one.
    public func first<each Value: SQLiteValue, Result>(
        _ sql: String, _ values: repeat each Value, read: (borrowing SQLiteRow) throws -> Result
    ) throws -> Result? {
        try statement(sql).first(repeat each values, read: read)
    }

    /// Hands each row to `read`.
    public func forEach<each Value: SQLiteValue>(
        _ sql: String, _ values: repeat each Value, read: (borrowing SQLiteRow) throws -> Void
    ) throws {
        try statement(sql).forEach(repeat each values, read: read)
    }

    /// Runs `body` between `begin` and `COMMIT`; rolls back when anything throws.
    func transaction<Result>(
        _ begin: String, _ body: (SQLiteConnection) throws -> Result
    ) throws -> Result {
        try run(begin)
        do {
            let result = try body(self)
            try run("COMMIT")
            return result
        } catch {
            // Some errors (a full disk) have rolled back already.
            if unsafe sqlite3_get_autocommit(handle) == 0 { _ = try? run("ROLLBACK") }
            throw error
        }
    }

    /// The beginning of a text, for messages.
    static func excerpt(_ sql: String) -> String {
        let words = sql.split(whereSeparator: \.isWhitespace).prefix(8)
        return words.joined(separator: " ")
    }
}

/// Turns SQLite's result codes ([list](https://www.sqlite.org/rescode.html)) into operating errors.
enum SQLiteFailure {
    /// CHECK, NOT NULL, a trigger's RAISE and DATATYPE: what a row holds is not allowed. Others
    /// (UNIQUE) are about what is there already.
    private static let rowConstraints: Set<Int32> = [1, 5, 7, 12]

    /// What the connection says about its last call.
    static func last(of handle: OpaquePointer, while doing: String) -> PipelineError {
        let code = unsafe sqlite3_extended_errcode(handle)
        let error = error(code, unsafe String(cString: sqlite3_errmsg(handle)), while: doing)
        guard [.storeFull, .storeIOError, .storeUnavailable].contains(error.code) else {
            return error
        }
        let path = unsafe sqlite3_db_filename(handle, "main").map { unsafe String(cString: $0) }
        return error.of(Backend(.store, "SQLite at \(path ?? "")"))
    }

    /// - Parameter code: primary or extended; the low byte decides.
    static func error(_ code: Int32, _ message: String, while doing: String) -> PipelineError {
        let said = "SQLite cannot \(doing): \(message) (\(code))"
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return .retryable(.storeBusy, "\(said); another connection holds the file's lock")
        case SQLITE_FULL:
            return .retryable(.storeFull, "\(said); free some space on the file's disk")
        case SQLITE_IOERR:
            return .retryable(.storeIOError, "\(said); look at the disk and the system's log")
        case SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_PROTOCOL:
            return .retryable(.storeUnavailable, said)
        case SQLITE_TOOBIG:
            return .permanent(.tooLarge, said)
        case SQLITE_MISMATCH:
            return .permanent(.storeData, said)
        case SQLITE_CONSTRAINT where rowConstraints.contains(code >> 8):
            return .permanent(.storeConstraint, said)
        case SQLITE_CORRUPT:
            return .fatal(
                .storeCorrupt,
                "\(said); restore a backup, or save what can be read: sqlite3 FILE .recover")
        case SQLITE_NOTADB:
            return .fatal(.notADatabase, "\(said); name another file, or move this one away")
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
            return .fatal(
                .storeNotWritable,
                "\(said); the file and its folder must be writable for this user")
        case SQLITE_ERROR, SQLITE_SCHEMA:
            return .fatal(.storeSchema, "\(said); the file may lack a migration: migrate first")
        default:
            return .fatal(.storeError, said)
        }
    }
}
