internal import ConfigurationDiagnostics
internal import CommandLineInterface
internal import DryRun
internal import Glibc
internal import LocatedJSON
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
        // The next file to be opened would become a stream that was closed, and take what is printed there.
        for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
        where fcntl(descriptor, F_GETFD) < 0 {
            // Writing to what can only be read is an error, as it was before.
            _ = unsafe open(
                "/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    /// How the process ends when its command has: what could not be written outweighs everything else.
    static func exitCode(after code: ExitCode) -> ExitCode {
        guard let error = failure.withLock({ $0 }) else { return code }
        if error == EPIPE { return .outputClosed }
        let reason = unsafe String(cString: strerror(error))
        write("penstock: can't write to standard output: \(reason)\n", to: STDERR_FILENO)
        return .outputFailed
    }

    /// Whether what is printed goes to a terminal whose user has not refused colours (https://no-color.org).
    static var isForPeople: Bool {
        isatty(STDOUT_FILENO) == 1 && LogStream.allowsColour
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

/// A dry run's report as it is printed.
struct DryRunOutput {
    let report: DryRunReport
    let options: DryRunOptions
    /// Columns and colour of what people read.
    var width = StandardOutput.width
    var isColored = StandardOutput.isForPeople

    var text: String {
        switch options.format {
        case .text: plain
        case .json: json.written(.pretty) + "\n"
        case .html: report.html()
        }
    }

    /// The checklist, what is wrong with the file, and what the simulation showed; the comparisons' verdicts first.
    private var plain: String {
        let problems = report.diagnostics.rendered(as: .text)
        let checklist = [report.checklist(isColored: isColored), problems]
        var paragraphs = checklist
        if let text = report.comparisons?.text(width: width, colour: isColored) {
            let verdict = text.split(separator: "\n\n", maxSplits: 1)
            paragraphs = ["\(verdict[0])\n"] + checklist + verdict.dropFirst().map(String.init)
        } else if let text = report.simulation?.text(width: width, colour: isColored) {
            paragraphs.append(text)
        }
        return paragraphs.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private var json: JSON {
        var members = report.checklistJSON(strict: options.strict)
        if let pairs = report.comparisons?.pairs {
            // Several are a list; whoever asks for one gets that one.
            members.append(
                pairs.count == 1
                    ? ("comparison", pairs[0].json)
                    : ("comparisons", .array(pairs.map(\.json))))
        } else if let simulation = report.simulation {
            members.append(("simulation", simulation.json))
        }
        return .object(members)
    }
}
