internal import Glibc
internal import PipelineCore

/// Ends blocking reads of a terminal or a pipe, which nothing else can: a pipe of its own is watched beside them.
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
    /// - Throws: `CancellationError` when the interruption has been asked for; ``PipelineError`` `file-unusable`, fatal,
    ///   when no descriptor is left for it.
    func awaitReadable(_ descriptor: Int32) throws {
        if failure != 0 {
            throw PipelineError.fatal(
                "file-unusable",
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
