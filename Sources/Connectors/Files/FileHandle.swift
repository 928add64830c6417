internal import Glibc
internal import PipelineCore

/// An open file descriptor; closed with the last reference if it is ours.
final class FileHandle: Sendable {
    private let descriptor: Int32
    private let path: String
    private let isOwned: Bool
    /// Ends a read that waits for a writer.
    private let interruption: Interruption?

    init(path: String, flags: Int32, createsFolder: Bool = false) throws {
        if createsFolder, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            // Where it can't be made, opening says why.
            _ = unsafe mkdir(String(path[..<slash]), 0o755)
        }
        descriptor = unsafe open(path, flags | O_CLOEXEC, 0o644)
        self.path = path
        isOwned = true
        interruption = nil
        if descriptor < 0 { throw Self.error("open", path) }
    }

    init(borrowing descriptor: Int32, interruption: Interruption? = nil) {
        self.interruption = interruption
        self.descriptor = descriptor
        path = "standard stream \(descriptor)"
        isOwned = false
    }

    deinit { if isOwned && descriptor >= 0 { close(descriptor) } }

    /// Up to `count` bytes; none at the end.
    /// - Throws: `CancellationError` once the handle's interruption has been asked for.
    func read(_ count: Int) throws -> [UInt8] {
        try interruption?.awaitReadable(descriptor)
        var bytes = [UInt8](repeating: 0, count: count)
        while true {
            let got = unsafe Glibc.read(descriptor, &bytes, count)
            if got >= 0 { return Array(bytes[..<got]) }
            if errno != EINTR { throw Self.error("read", path) }
        }
    }

    /// The next read begins there.
    func seek(to offset: Int64) throws {
        if lseek(descriptor, off_t(offset), SEEK_SET) < 0 { throw Self.error("seek in", path) }
    }

    /// The bytes of a range that the file has.
    func read(_ range: Range<Int64>) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))
        while true {
            let got = unsafe pread(descriptor, &bytes, bytes.count, off_t(range.lowerBound))
            if got >= 0 { return Array(bytes[..<got]) }
            if errno != EINTR { throw Self.error("read", path) }
        }
    }

    var size: Int64 {
        get throws {
            var status = stat()
            if unsafe fstat(descriptor, &status) != 0 { throw Self.error("look at", path) }
            return Int64(status.st_size)
        }
    }

    /// Whether its path names another file by now.
    var isReplaced: Bool {
        var (mine, named) = (stat(), stat())
        guard unsafe fstat(descriptor, &mine) == 0, unsafe stat(path, &named) == 0 else {
            return false
        }
        return mine.st_dev != named.st_dev || mine.st_ino != named.st_ino
    }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let wrote = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if wrote >= 0 {
                rest = rest.dropFirst(wrote)
            } else if errno == EAGAIN {
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&waiting, 1, -1)
            } else if errno != EINTR {
                throw isOwned ? Self.error("write", path) : outputError
            }
        }
    }

    func synchronize() throws {
        if fdatasync(descriptor) != 0, errno != EINVAL { throw Self.error("flush", path) }
    }

    /// A standard stream ends the process, as it does for every command: nobody can mend it from
    /// outside.
    private var outputError: PipelineError {
        errno == EPIPE
            ? .fatal(.outputClosed, "the reader of \(path) has gone")
            : .fatal(
                .outputFailed,
                "can't write to \(path): \(unsafe String(cString: strerror(errno)))")
    }

    private static func error(_ what: String, _ path: String) -> PipelineError {
        let reason = unsafe String(cString: strerror(errno))
        let isPassing = errno == ENOSPC || errno == EIO || errno == EAGAIN
        return PipelineError(
            isPassing ? .retryable : .fatal, code: .fileUnusable,
            "can't \(what) \(path): \(reason)")
    }
}

/// Ends blocking reads of a terminal or a pipe, which nothing else can: a pipe of its own is
/// watched beside them.
final class Interruption: Sendable {
    private let reading: Int32
    private let writing: Int32
    /// The system's error when there was no pipe to be had; 0 otherwise.
    private let failure: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        failure = unsafe pipe(&ends) == 0 ? 0 : errno
        for end in ends where end >= 0 { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (reading, writing) = (ends[0], ends[1])
    }

    deinit {
        if failure != 0 { return }
        close(reading)
        close(writing)
    }

    /// Every read that waits, or ever will, ends.
    func ask() {
        var one: UInt8 = 1
        _ = unsafe Glibc.write(writing, &one, 1)
    }

    /// Returns when a read of the descriptor would not wait.
    /// - Throws: `CancellationError` when the interruption has been asked for; ``PipelineError``
    ///   `file-unusable`, fatal, when no descriptor is left for it.
    fileprivate func awaitReadable(_ descriptor: Int32) throws {
        if failure != 0 {
            throw PipelineError.fatal(
                .fileUnusable,
                "no descriptor is left (\(unsafe String(cString: strerror(failure)))): raise the limit of open files (ulimit -n)"
            )
        }
        var watched = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: reading, events: Int16(POLLIN), revents: 0),
        ]
        while unsafe poll(&watched, nfds_t(watched.count), -1) < 0, errno == EINTR {}
        if watched[1].revents != 0 { throw CancellationError() }
    }
}
