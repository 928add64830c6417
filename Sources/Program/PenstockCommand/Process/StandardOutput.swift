internal import CommandLineInterface
internal import Glibc
internal import Logging
internal import Synchronization

/// The process's standard streams.
enum StandardOutput {
    /// The error of the first write that failed.
    private static let failure = Mutex<Int32?>(nil)

    /// To be called before anything is opened.
    static func prepare() {
        // A reader that goes away is an error of `write`, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // The next file to be opened would become a stream that was closed, and take what is
        // printed there.
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) < 0 {
            // Writing to what can only be read is an error, as it was before.
            _ = unsafe open(
                "/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// How the process ends when its command has: what could not be written outweighs everything
    /// else.
    static func exitCode(after code: ExitCode) -> ExitCode {
        guard let error = failure.withLock({ $0 }) else { return code }
        if error == EPIPE { return .outputClosed }
        let reason = unsafe String(cString: strerror(error))
        write("penstock: can't write to standard output: \(reason)\n", to: STDERR_FILENO)
        return .outputFailed
    }

    /// Whether what is printed goes to a terminal whose user has not refused colours
    /// (https://no-color.org).
    static var isForPeople: Bool {
        isatty(STDOUT_FILENO) == 1 && LogStream.allowsColour
    }

    /// Columns of the terminal; 80 where there is none.
    static var width: Int { size.columns }

    /// Of the terminal; 80 by 24 where there is none.
    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 else { return (80, 24) }
        return (
            size.ws_col >= 40 ? Int(size.ws_col) : 80, size.ws_row >= 8 ? Int(size.ws_row) : 24
        )
    }

    fileprivate static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let wrote = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if wrote >= 0 {
                rest = rest.dropFirst(wrote)
            } else if errno == EAGAIN {
                // Somebody who shares the stream has made it one that does not wait.
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&waiting, 1, -1)
            } else if errno != EINTR {
                let error = errno
                if descriptor == STDOUT_FILENO { failure.withLock { $0 = $0 ?? error } }
                return
            }
        }
    }
}

extension Console {
    static var standard: Console {
        Console(
            out: { StandardOutput.write($0, to: STDOUT_FILENO) },
            err: { StandardOutput.write($0, to: STDERR_FILENO) },
            isTerminal: isatty(STDERR_FILENO) == 1, isOutTerminal: isatty(STDOUT_FILENO) == 1,
            allowsColour: LogStream.allowsColour)
    }
}
