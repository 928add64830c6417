internal import Glibc
internal import PipelineCore

/// Where a database lies.
struct DatabaseFile: Sendable {
    let path: String
    var isInMemory: Bool { path == ":memory:" }

    /// Creates the folder and an empty file that only its owner may read, if they are not there.
    ///
    /// SQLite gives the files beside it (`-wal`, `-shm`) the same mode.
    func create() throws {
        if isInMemory { return }
        try createFolders()
        // O_EXCL: closing a descriptor of a file that SQLite has open would drop SQLite's locks on
        // it.
        let descriptor = unsafe open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            close(descriptor)
        } else if errno != EEXIST {
            throw Self.failure("create \(path)")
        }
    }

    private func createFolders() throws {
        for folder in folders where unsafe mkdir(folder, 0o750) != 0 && errno != EEXIST {
            throw Self.failure("create the folder \(folder)")
        }
    }

    /// The folders on the way to the file, outermost first.
    private var folders: [String] {
        path.indices.dropFirst().filter { path[$0] == "/" }.map { String(path[..<$0]) }
    }

    /// Whether the file could be created, judged by the innermost folder that exists. Changes
    /// nothing.
    func checkCreatable() throws {
        let existing = folders.last { unsafe access($0, F_OK) == 0 }
        let folder = existing ?? (path.hasPrefix("/") ? "/" : ".")
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            throw Self.failure("create \(path) in \(folder)")
        }
    }

    /// Changes nothing.
    func checkWritable() throws {
        guard unsafe access(path, R_OK | W_OK) == 0 else { throw Self.failure("write \(path)") }
        // SQLite keeps a log beside the file.
        let folder = folders.last ?? "."
        guard unsafe access(folder, W_OK | X_OK) == 0 else {
            throw Self.failure("write to the folder \(folder)")
        }
    }

    /// Whether the memory is there that the users of the file share.
    var hasSharedMemory: Bool { unsafe access(path + "-shm", F_OK) == 0 }

    /// Its size; 0 without a file.
    var bytes: Int {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? Int(status.st_size) : 0
    }

    /// What is free for this user on the disk of the innermost folder that exists; `nil` if it does
    /// not tell.
    var freeBytes: Int? {
        let existing = folders.last { unsafe access($0, F_OK) == 0 }
        var status = statvfs()
        guard unsafe statvfs(existing ?? (path.hasPrefix("/") ? "/" : "."), &status) == 0 else {
            return nil
        }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    var exists: Bool { unsafe access(path, F_OK) == 0 }

    /// Bytes in the write-ahead log; 0 without one.
    var logBytes: Int {
        var status = stat()
        return unsafe stat(path + "-wal", &status) == 0 ? Int(status.st_size) : 0
    }

    /// Its path with every symbolic link followed; `nil` without a file.
    var realPath: String? {
        guard let resolved = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(resolved) }
        return unsafe String(cString: resolved)
    }

    /// Its path with every symbolic link followed, as far as it is there.
    var location: String {
        if let realPath { return realPath }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        let folder = parts.count == 1 ? "." : parts.dropLast().joined(separator: "/") + "/"
        return DatabaseFile(path: folder).realPath.map { "\($0)/\(parts.last ?? "")" } ?? path
    }

    static func failure(_ doing: String) -> PipelineError {
        let reason = unsafe String(cString: strerror(errno))
        return .fatal(
            .storeNotWritable,
            "cannot \(doing): \(reason); name another file or change the folder's owner")
    }
}

/// A file's device and inode: which file it is, whatever it is called.
struct Inode: Sendable, Hashable {
    let device: UInt
    let number: UInt

    init?(path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        (device, number) = (UInt(status.st_dev), UInt(status.st_ino))
    }

    init?(_ descriptor: Int32) {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return nil }
        (device, number) = (UInt(status.st_dev), UInt(status.st_ino))
    }

    /// As `/proc/locks` writes it: major and minor number in hexadecimal digits, inode.
    var inLocks: String {
        func digits(_ number: UInt) -> String {
            let text = String(number, radix: 16)
            return text.count < 2 ? "0\(text)" : text
        }
        let major = (device >> 8) & 0xFFF | (device >> 32) & ~0xFFF
        let minor = device & 0xFF | (device >> 12) & ~0xFF
        return "\(digits(major)):\(digits(minor)):\(number)"
    }
}

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
                .storeNotWritable,
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
                .foreignDatabase,
                "\(file.path) is a database of another program; name another file")
        }
        return true
    }
}
