internal import Glibc

/// How files of credentials are read, watched and replaced.
enum CredentialFile {
    /// What tells a file from the one that had its name before.
    struct Stamp: Sendable, Equatable {
        private let device: UInt64
        private let inode: UInt64
        private let size: Int64
        private let modified: [Int64]

        /// `nil` for a file that is not there.
        init?(of path: String) {
            var status = stat()
            guard unsafe stat(path, &status) == 0 else { return nil }
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            modified = [status.st_mtim, status.st_ctim].flatMap {
                [Int64($0.tv_sec), Int64($0.tv_nsec)]
            }
        }
    }

    static func isThere(_ path: String) -> Bool { Stamp(of: path) != nil }

    static func read(_ path: String, maxBytes: Int) throws(CredentialFileError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw failure(path, "can't be read") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = unsafe Glibc.read(descriptor, &buffer, buffer.count)
            if got == 0 { return bytes }
            if got < 0 {
                if errno == EINTR { continue }
                throw failure(path, "can't be read")
            }
            bytes += buffer[..<got]
            if bytes.count > maxBytes {
                throw CredentialFileError(path, "is larger than \(maxBytes >> 20) MiB")
            }
        }
    }

    /// Runs `body` while no other process is in one for a file of that folder.
    ///
    /// The folder has the lock: the file itself is replaced meanwhile.
    static func withLock(
        on path: String, _ body: () throws(CredentialFileError) -> Void
    ) throws(CredentialFileError) {
        let folder = Self.folder(of: resolved(path))
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(folder, "can't be opened") }
        defer { close(descriptor) }
        while flock(descriptor, LOCK_EX) != 0 {
            if errno != EINTR { throw failure(folder, "can't be locked") }
        }
        try body()
    }

    /// Puts another content in a file's place, whole or not at all, for its owner's eyes only.
    static func replace(_ path: String, by bytes: [UInt8]) throws(CredentialFileError) {
        let path = resolved(path)
        let folder = Self.folder(of: path)
        let draft = "\(path).\(getpid()).new"
        _ = unsafe unlink(draft)
        let descriptor = unsafe open(
            draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(draft, "can't be made") }
        var isOpen = true
        defer { if isOpen { close(descriptor) } }
        do throws(CredentialFileError) {
            try keepOwner(of: path, on: descriptor)
            try write(bytes, to: descriptor, draft)
            guard fchmod(descriptor, 0o600) == 0, fsync(descriptor) == 0 else {
                throw failure(draft, "can't be written")
            }
            isOpen = false
            guard close(descriptor) == 0, unsafe rename(draft, path) == 0 else {
                throw failure(path, "can't be replaced")
            }
        } catch {
            _ = unsafe unlink(draft)
            throw error
        }
        // The new name lasts once the folder is on the disk.
        let holder = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard holder >= 0 else { return }
        _ = fsync(holder)
        close(holder)
    }

    /// Whoever could read the file before can read the new one.
    private static func keepOwner(
        of path: String, on descriptor: Int32
    ) throws(CredentialFileError) {
        var (old, new) = (stat(), stat())
        guard unsafe stat(path, &old) == 0, unsafe fstat(descriptor, &new) == 0,
            old.st_uid != new.st_uid
        else { return }
        guard fchown(descriptor, old.st_uid, old.st_gid) == 0 else {
            throw CredentialFileError(
                path, "belongs to user \(old.st_uid): only that one, or root, may change it")
        }
    }

    private static func write(
        _ bytes: [UInt8], to descriptor: Int32, _ path: String
    ) throws(CredentialFileError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if written < 0, errno == EINTR { continue }
            guard written > 0 else { throw failure(path, "can't be written") }
            rest = rest.dropFirst(written)
        }
    }

    /// Where a symbolic link leads to; the path itself for everything else.
    private static func resolved(_ path: String) -> String {
        guard let place = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(place) }
        return unsafe String(cString: place)
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func failure(_ path: String, _ what: String) -> CredentialFileError {
        CredentialFileError(path, "\(what): \(unsafe String(cString: strerror(errno)))")
    }
}
