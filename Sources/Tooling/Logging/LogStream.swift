internal import Glibc
internal import Synchronization

/// A file descriptor that takes whole lines from any thread.
public final class LogStream: Sendable {
    /// The process's standard error.
    public static let standardError = LogStream(descriptor: STDERR_FILENO)

    private let descriptor: Int32
    // One writer at a time: a line longer than a pipe's buffer is written in parts.
    private let turn = Mutex(())

    /// Writes to `descriptor`, which stays the caller's to close.
    public init(descriptor: Int32) { self.descriptor = descriptor }

    /// Whether a person is looking.
    public var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Whether the environment allows colour ([NO_COLOR](https://no-color.org)) and the terminal is known to have
    /// it: without a `TERM`, or with `dumb`, nothing is known.
    static var allowsColour: Bool {
        Self.environment("NO_COLOR")?.isEmpty != false
            && !["", "dumb"].contains(Self.environment("TERM") ?? "")
    }

    /// Writes the line with one `write(2)`, unless the descriptor takes only part of it. What can't
    /// be written is lost: logging never stops what it tells about.
    func write(_ line: [UInt8]) {
        turn.withLock { _ in
            var written = 0
            while written < line.count {
                let count = unsafe line.withUnsafeBytes { bytes in
                    unsafe Glibc.write(
                        descriptor, bytes.baseAddress! + written, bytes.count - written)
                }
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN {
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    guard unsafe poll(&waiting, 1, 1000) == 1 else { return }
                } else if errno != EINTR {
                    return
                }
            }
        }
    }

    /// Civil time in microseconds since 1970-01-01T00:00:00Z.
    static func microsecondsNow() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    private static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
