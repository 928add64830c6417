internal import CSQLite
internal import PipelineCore

/// Turns SQLite's result codes ([list](https://www.sqlite.org/rescode.html)) into operating errors.
enum SQLiteFailure {
    /// CHECK, NOT NULL, a trigger's RAISE and DATATYPE: what a row holds is not allowed. Others
    /// (UNIQUE) are about what is there already.
    private static let rowConstraints: Set<Int32> = [1, 5, 7, 12]

    /// What the connection says about its last call.
    static func last(of handle: OpaquePointer, while doing: String) -> PipelineError {
        let code = unsafe sqlite3_extended_errcode(handle)
        return error(code, unsafe String(cString: sqlite3_errmsg(handle)), while: doing)
    }

    /// - Parameter code: primary or extended; the low byte decides.
    static func error(_ code: Int32, _ message: String, while doing: String) -> PipelineError {
        let said = "SQLite cannot \(doing): \(message) (\(code))"
        switch code & 0xFF {
        case SQLITE_BUSY, SQLITE_LOCKED:
            return .retryable("store-busy", "\(said); another connection holds the file's lock")
        case SQLITE_FULL:
            return .retryable("store-full", "\(said); free some space on the file's disk")
        case SQLITE_IOERR:
            return .retryable("store-io-error", "\(said); look at the disk and the system's log")
        case SQLITE_NOMEM, SQLITE_INTERRUPT, SQLITE_PROTOCOL:
            return .retryable("store-unavailable", said)
        case SQLITE_TOOBIG:
            return .permanent("too-large", said)
        case SQLITE_MISMATCH:
            return .permanent("store-data", said)
        case SQLITE_CONSTRAINT where rowConstraints.contains(code >> 8):
            return .permanent("store-constraint", said)
        case SQLITE_CORRUPT:
            return .fatal(
                "store-corrupt",
                "\(said); restore a backup, or save what can be read: sqlite3 FILE .recover")
        case SQLITE_NOTADB:
            return .fatal("not-a-database", "\(said); name another file, or move this one away")
        case SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH:
            return .fatal(
                "store-not-writable",
                "\(said); the file and its folder must be writable for this user")
        case SQLITE_ERROR, SQLITE_SCHEMA:
            return .fatal("store-schema", "\(said); the file may lack a migration: migrate first")
        case SQLITE_CONSTRAINT:
            return .fatal("store-constraint", said)
        default:
            return .fatal("store-error", said)
        }
    }
}
