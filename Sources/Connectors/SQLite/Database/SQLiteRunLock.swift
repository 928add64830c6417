internal import Glibc
internal import PipelineCore
internal import Synchronization

/// The right to run pipelines on a file: held by one process at a time, dropped by the kernel when
/// it ends.
///
/// The file itself is locked (flock(2)), so that every name and link of it is the same lock. Beside
/// it `FILE.lock` is locked as well, which names the holder. Commands that only write or read a
/// little do without.
public final class SQLiteRunLock: Sendable {
    /// What this process holds: a file must not be opened a second time to find that out, see
    /// ``acquire(for:command:)``.
    private static let held = Mutex<[Inode: String]>([:])

    private let identity: Inode
    private let file: Int32
    private let note: Int32

    private init(identity: Inode, file: Int32, note: Int32) {
        self.identity = identity
        self.file = file
        self.note = note
    }

    deinit {
        // The name stays: removing it would let two processes lock two files of the same name.
        ftruncate(note, 0)
        close(note)
        close(file)
        Self.held.withLock { $0[identity] = nil }
    }

    /// Whoever is refused must not go on using the file: closing a descriptor of it drops the locks
    /// that SQLite has taken in this process (fcntl(2)). For the same reason the lock is let go
    /// after the database.
    ///
    /// - Parameter command: what the holder is, for those who are turned away.
    /// - Throws: `fatal` `store-in-use`, naming the holder's process id and command, or
    ///   `store-linked` when the file has several names.
    fileprivate static func acquire(for file: DatabaseFile, command: String) throws -> SQLiteRunLock
    {
        try file.create()
        guard let path = file.realPath, let identity = Inode(path: path) else {
            throw DatabaseFile.failure("look at \(file.path)")
        }
        if let holder = held.withLock({ $0[identity] }) {
            throw inUse(file, by: "process \(getpid()) (\(holder))")
        }
        let note = try take("\(path).lock", of: file, flags: O_CREAT | O_RDWR)
        do {
            let itself = try take(path, of: file, flags: O_RDONLY)
            do {
                try refuseLinks(of: file, itself)
                try write("\(getpid()) \(command)\n", to: note, path: "\(path).lock")
            } catch {
                close(itself)
                throw error
            }
            held.withLock { $0[identity] = command }
            return SQLiteRunLock(identity: identity, file: itself, note: note)
        } catch {
            close(note)
            throw error
        }
    }

    /// Who holds the lock; `nil` when nobody does. Takes it for no longer than that takes to find
    /// out, and makes no file.
    static func holder(of file: DatabaseFile) throws -> String? {
        guard let path = file.realPath, let identity = Inode(path: path) else { return nil }
        if let holder = held.withLock({ $0[identity] }) {
            return "process \(getpid()) (\(holder))"
        }
        for name in ["\(path).lock", path] {
            let descriptor = unsafe open(name, O_RDONLY | O_CLOEXEC)
            if descriptor < 0 {
                if errno == ENOENT { continue }
                throw DatabaseFile.failure("open \(name)")
            }
            // Closing drops the lock again.
            defer { close(descriptor) }
            if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { continue }
            guard errno == EWOULDBLOCK else { throw DatabaseFile.failure("lock \(name)") }
            return holder(descriptor)
        }
        return nil
    }

    private static func take(_ path: String, of file: DatabaseFile, flags: Int32) throws -> Int32 {
        let descriptor = unsafe open(path, flags | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DatabaseFile.failure("open \(path)") }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return descriptor }
        defer { close(descriptor) }
        guard errno == EWOULDBLOCK else { throw DatabaseFile.failure("lock \(path)") }
        throw inUse(file, by: holder(descriptor))
    }

    /// SQLite keeps the log by the file's name: what is in one name's log is missing under another.
    private static func refuseLinks(of file: DatabaseFile, _ descriptor: Int32) throws {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, status.st_nlink > 1 else { return }
        throw PipelineError.fatal(
            .storeLinked,
            "\(file.path) has \(status.st_nlink) names (hard links), each of which would get a log"
                + " of its own: remove the others, or make a copy")
    }

    private static func write(_ line: String, to note: Int32, path: String) throws {
        ftruncate(note, 0)
        let text = Array(line.utf8)
        let written = unsafe text.withUnsafeBytes { bytes in
            unsafe pwrite(note, bytes.baseAddress, bytes.count, 0)
        }
        guard written == text.count else { throw DatabaseFile.failure("write \(path)") }
    }

    private static func inUse(_ file: DatabaseFile, by holder: String) -> PipelineError {
        .fatal(
            .storeInUse, "\(file.path) is in use by \(holder); stop it, or use another file")
    }

    /// By the note that the holder has left, or by what the kernel knows of the database's lock.
    private static func holder(_ descriptor: Int32) -> String {
        let line = firstLine(descriptor)
        let space = line.firstIndex(of: " ")
        if let space, let process = Int32(line[..<space]) {
            return "process \(process) (\(line[line.index(after: space)...]))"
        }
        guard let process = Inode(descriptor).flatMap(process(locking:)) else {
            return "another process"
        }
        let words = unsafe open("/proc/\(process)/cmdline", O_RDONLY | O_CLOEXEC)
        defer { close(words) }
        let command = firstLine(words).split(separator: "\0").joined(separator: " ")
        return command.isEmpty ? "process \(process)" : "process \(process) (\(command))"
    }

    /// Searches [/proc/locks](https://man7.org/linux/man-pages/man5/proc_locks.5.html).
    private static func process(locking identity: Inode) -> Int32? {
        let locks = unsafe open("/proc/locks", O_RDONLY | O_CLOEXEC)
        defer { close(locks) }
        for line in text(locks, limit: 1 << 20).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK", fields[3] == "WRITE",
                fields[5] == identity.inLocks
            else { continue }
            return Int32(fields[4])
        }
        return nil
    }

    private static func firstLine(_ descriptor: Int32) -> String {
        String(text(descriptor, limit: 512).prefix { $0 != "\n" })
    }

    private static func text(_ descriptor: Int32, limit: Int) -> String {
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let read = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(
                    descriptor, buffer.baseAddress! + count, buffer.count - count, off_t(count))
            }
            if read <= 0 { break }
            count += read
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}

extension SQLiteDatabase {
    /// Claims the file for one `run` at a time. Held until the lock is released; `nil` in memory.
    ///
    /// - Throws: `fatal` `store-in-use`, naming the holder's process id and command, or
    ///   `store-linked` when the file has several names.
    public func acquireRunLock(command: String) throws -> SQLiteRunLock? {
        isInMemory ? nil : try .acquire(for: file, command: command)
    }
}
