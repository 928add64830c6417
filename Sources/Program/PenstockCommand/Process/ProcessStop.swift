internal import Concurrency
internal import Calendar
internal import CommandLineInterface
internal import Glibc
internal import Logging
internal import PipelineCore
internal import Synchronization

/// How this process ends: SIGTERM and SIGINT ask for a graceful stop, a second one ends it at once,
/// and so does what still hangs when the grace is over. SIGHUP asks for a reload.
///
/// A thread of its own watches. It needs none of the others, so that nothing that blocks them can
/// keep the process: a library's call, a stage of a third party, an exit handler.
final class ProcessStop: Sendable {
    /// What may be left to do after the grace (leases handed back, connections closed); with the
    /// log line of a forced end it is less than two seconds.
    private static let margin: Duration = .milliseconds(1_700)

    /// Set when the process shall stop.
    let event = AsyncEvent()
    /// Sent when the process shall read its files anew.
    let reload = Signal()
    let openWork = OpenWork()
    private let grace: Duration
    private let logger: Logger
    private let thread = WorkerThread()
    private let descriptor: Int32

    /// - Throws: ``CommandFailure`` or ``PipelineError`` when there is no descriptor or no thread
    ///   to be had.
    init(grace: Duration, logger: Logger) throws {
        self.grace = grace
        self.logger = logger
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else {
            throw CommandFailure(
                .unavailable, "no descriptor is left: \(unsafe String(cString: strerror(errno)))")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        descriptor = ends[0]
        stopPipe.store(ends[1], ordering: .releasing)
        // The thread has to be there before a signal is taken.
        try thread.enqueue {}
        for number in [SIGTERM, SIGINT, SIGHUP] { Self.handle(number) }
        // Lives for as long as the process: what it watches for may come at its very end.
        try thread.enqueue {
            Self.mask(SIG_UNBLOCK)
            self.watch()
        }
    }

    /// Keeps back a SIGHUP that comes before the process can take it: it would end it. Called
    /// before there is another thread, since each inherits that; the stop's thread takes it then.
    static func holdReloads() { mask(SIG_BLOCK) }

    private static func mask(_ how: Int32) {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGHUP)
        unsafe pthread_sigmask(how, &signals, nil)
    }

    /// Asks for the stop without a signal, because the work is over or can't go on.
    func request() {
        event.set()
        wakeStopThread(0)
    }

    private static func handle(_ number: Int32) {
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = {
            wakeStopThread(UInt8(truncatingIfNeeded: $0))
        }
        action.sa_flags = SA_RESTART
        unsafe sigaction(number, &action, nil)
    }

    private func watch() -> Never {
        var end: UInt64?
        while true {
            guard let number = next(before: end) else { endByForce() }
            if number == SIGHUP {
                reload.send()
                continue
            }
            if number != 0 {
                if event.isSet { _exit(128 + Int32(number)) }
                event.set()
            }
            end = end ?? monotonicMilliseconds() + UInt64((grace + Self.margin).wholeMilliseconds)
        }
    }

    /// The next signal, or 0 for a request; `nil` when the end has come.
    private func next(before end: UInt64?) -> UInt8? {
        while true {
            let now = monotonicMilliseconds()
            if let end, end <= now { return nil }
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let wait = end.map { Int32(clamping: $0 - now) } ?? -1
            guard unsafe poll(&entry, 1, wait) > 0 else { continue }
            var byte: UInt8 = 0
            if unsafe read(descriptor, &byte, 1) == 1 { return byte }
        }
    }

    private func endByForce() -> Never {
        // The log may hang as well.
        signal(SIGALRM) { _ in _exit(ExitCode.internal.rawValue) }
        var limit = itimerval()
        limit.it_value.tv_usec = 200_000
        unsafe setitimer(__itimer_which_t(0), &limit, nil)
        logger.critical(
            "ended by force: the grace is over, and this hangs; what it held under a lease is claimed again when that ends",
            metadata: ["unfinished": "\(openWork.names.joined(separator: "; "))"])
        _exit(ExitCode.internal.rawValue)
    }
}

/// The writing end of the pipe that the stop's thread reads: a signal's handler can capture
/// nothing.
private let stopPipe = Atomic<Int32>(-1)

/// May be called by a signal's handler.
private func wakeStopThread(_ byte: UInt8) {
    var byte = byte
    let number = errno
    _ = unsafe write(stopPipe.load(ordering: .acquiring), &byte, 1)
    errno = number
}

private func monotonicMilliseconds() -> UInt64 { MonotonicTime.nanosecondsNow / 1_000_000 }
