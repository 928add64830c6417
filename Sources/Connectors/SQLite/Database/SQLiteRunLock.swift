internal import Glibc
internal import PipelineCore

/// The right to run pipelines on a file: held by one process at a time, dropped by the kernel when
/// it ends.
///
/// Kept in `FILE.lock` (flock(2)), which names the holder. Commands that only write or read a
/// little do without.
public final class SQLiteRunLock: Sendable {
    private let descriptor: Int32

    private init(descriptor: Int32) { self.descriptor = descriptor }

    deinit {
        // The name stays: removing it would let two processes lock two files of the same name.
        ftruncate(descriptor, 0)
        close(descriptor)
    }

    /// - Parameter command: what the holder is, for those who are turned away.
    /// - Throws: `fatal` `store-in-use`, naming the holder's process id and command.
    static func acquire(for file: DatabaseFile, command: String) throws -> SQLiteRunLock {
        try file.create()
        let path = file.path + ".lock"
        let descriptor = unsafe open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DatabaseFile.failure("open \(path)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            defer { close(descriptor) }
            guard errno == EWOULDBLOCK else { throw DatabaseFile.failure("lock \(path)") }
            throw PipelineError.fatal(
                "store-in-use",
                "\(file.path) is in use by \(holder(descriptor)); stop it, or use another file")
        }
        ftruncate(descriptor, 0)
        let text = Array("\(getpid()) \(command)\n".utf8)
        let written = unsafe text.withUnsafeBytes { bytes in
            unsafe pwrite(descriptor, bytes.baseAddress, bytes.count, 0)
        }
        guard written == text.count else {
            defer { close(descriptor) }
            throw DatabaseFile.failure("write \(path)")
        }
        return SQLiteRunLock(descriptor: descriptor)
    }

    /// Who holds the lock; `nil` when nobody does. Takes it for no longer than that takes to find out, and makes no file.
    static func holder(of file: DatabaseFile) throws -> String? {
        let path = file.path + ".lock"
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 {
            if errno == ENOENT { return nil }
            throw DatabaseFile.failure("open \(path)")
        }
        // Closing drops the lock again.
        defer { close(descriptor) }
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
        guard errno == EWOULDBLOCK else { throw DatabaseFile.failure("lock \(path)") }
        return holder(descriptor)
    }

    private static func holder(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe pread(descriptor, buffer.baseAddress, buffer.count, 0)
        }
        let line = String(decoding: bytes.prefix(max(0, count)).prefix { $0 != 10 }, as: UTF8.self)
        guard let space = line.firstIndex(of: " ") else { return "another process" }
        return "process \(line[..<space]) (\(line[line.index(after: space)...]))"
    }
}

extension SQLiteDatabase {
    /// Claims the file for one `run` at a time. Held until the lock is released; `nil` in memory.
    ///
    /// - Throws: `fatal` `store-in-use`, naming the holder's process id and command.
    public func acquireRunLock(command: String) throws -> SQLiteRunLock? {
        isInMemory ? nil : try .acquire(for: file, command: command)
    }
}
