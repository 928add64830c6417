internal import Glibc
internal import Specification

/// The process's standard streams.
enum StandardOutput {
    /// A reader that goes away is an error of `write`, not the end of the process.
    static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

    /// Whether what is printed goes to a terminal whose user has not refused colours (https://no-color.org).
    static var isForPeople: Bool {
        isatty(STDOUT_FILENO) == 1
            && ProcessEnvironment.variables["NO_COLOR"].map(\.isEmpty) ?? true
    }

    /// Columns of the terminal; 80 where there is none.
    static var width: Int {
        var size = winsize()
        let isKnown = unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
        return isKnown && size.ws_col >= 40 ? Int(size.ws_col) : 80
    }

    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let wrote = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if wrote > 0 { rest = rest.dropFirst(wrote) } else if errno != EINTR { return }
        }
    }
}

extension Console {
    /// Whether the environment allows colour ([NO_COLOR](https://no-color.org), `TERM=dumb`).
    private static var allowsColour: Bool {
        let variables = ProcessEnvironment.variables
        return variables["NO_COLOR"]?.isEmpty != false && variables["TERM"] != "dumb"
    }

    static var standard: Console {
        Console(
            out: { StandardOutput.write($0, to: STDOUT_FILENO) },
            err: { StandardOutput.write($0, to: STDERR_FILENO) },
            isTerminal: isatty(STDERR_FILENO) == 1, isOutTerminal: isatty(STDOUT_FILENO) == 1,
            allowsColour: allowsColour)
    }
}
