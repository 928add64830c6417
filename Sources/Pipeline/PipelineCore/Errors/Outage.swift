public import Logging
internal import Synchronization

/// Something that fails again and again, told of when it begins, now and then while it lasts, and
/// when it ends.
///
/// However often it fails, and however often it comes and goes, the log gets two lines a `reminder`
/// at most. Saying that it works costs an atomic read while all is well, so that a busy path can do
/// so each time.
public final class Outage: Sendable {
    /// How long to be silent between two lines of an outage that lasts.
    public static let reminder: Duration = .minutes(1)

    private let what: String
    private let message: Logger.Message
    private let clock: PipelineClock
    private let logger: Logger
    private let state: Mutex<OutageState>
    private let isFailing = Atomic(false)

    /// - Parameters:
    ///   - what: what fails, as metadata: `stage answers: deliver`.
    ///   - message: what it means, in a sentence: `the cache can't be reached; the store answers`.
    public init(
        _ what: String, _ message: Logger.Message, clock: PipelineClock, logger: Logger,
        reminder: Duration = Outage.reminder
    ) {
        self.what = what
        self.message = message
        self.clock = clock
        self.logger = logger
        state = Mutex(OutageState(reminder: reminder))
    }

    /// It has failed once more.
    /// - Parameter metadata: what to say besides `what` and the error, if anything is said.
    public func failed(
        _ error: any Error, metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        let now = clock.now
        let notice = state.withLock { state in
            isFailing.store(true, ordering: .relaxed)
            return state.failed(now)
        }
        guard let notice else { return }
        logger.warning(
            message,
            metadata: metadata().merging(self.metadata(notice)) { $1 }
                .merging(["error": "\(error)"]) { $1 })
    }

    /// It works.
    public func succeeded() {
        guard isFailing.load(ordering: .relaxed) else { return }
        let now = clock.now
        let notice = state.withLock { state in
            isFailing.store(false, ordering: .relaxed)
            return state.succeeded(now)
        }
        if let notice { logger.notice("works again", metadata: metadata(notice)) }
    }

    private func metadata(_ notice: OutageState.Notice) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["what": "\(what)"]
        if notice.failures > 1 {
            metadata["failures"] = "\(notice.failures)"
            metadata["outage_seconds"] = "\(notice.lasted.inSeconds)"
        }
        return metadata
    }
}

extension Outage {
    /// A store that refuses every record of a chunk for one reason: then it is more likely the
    /// store than they.
    ///
    /// It is told of, and they go to the dead letters all the same: whoever sends bad records could
    /// stop everybody else's if they were ever taken for the store's fault.
    public static func ofRefusals(
        at stage: String, clock: PipelineClock, logger: Logger
    ) -> Outage {
        Outage(
            "stage \(stage): store records",
            "the store refuses every record of a chunk for one reason: if it is a constraint or a trigger of its tables, stop the process and mend them; the records are in the dead letters",
            clock: clock, logger: logger)
    }
}

/// Decides when something is said about an outage: a pure state machine.
private struct OutageState: Sendable {
    /// What is worth a line now.
    struct Notice: Sendable, Equatable {
        /// Failures since it began, the unsaid ones included.
        var failures: Int
        /// How long it has lasted.
        var lasted: Duration
    }
    /// Well: `nil`. Failing: since when, how often, and whether that was said.
    private var failing: (since: Instant, failures: Int, isSaid: Bool)?
    /// The last line about a failure. One that begins sooner after it is not said yet: it comes and
    /// goes.
    private var lastSaid: Instant?
    private let reminder: Duration

    init(reminder: Duration) { self.reminder = reminder }

    /// - Returns: what to say: at the first failure, and then once a `reminder`.
    mutating func failed(_ now: Instant) -> Notice? {
        var current = failing ?? (since: now, failures: 0, isSaid: false)
        current.failures += 1
        defer { failing = current }
        if let lastSaid, lastSaid.duration(to: now) < reminder { return nil }
        lastSaid = now
        current.isSaid = true
        return Notice(failures: current.failures, lasted: current.since.duration(to: now))
    }

    /// - Returns: what to say of the outage that has ended, if its beginning was said.
    mutating func succeeded(_ now: Instant) -> Notice? {
        defer { failing = nil }
        guard let failing, failing.isSaid else { return nil }
        return Notice(failures: failing.failures, lasted: failing.since.duration(to: now))
    }
}

/// The outages of whatever is named, each told of by itself.
public final class Outages: Sendable {
    private let known = Mutex<[String: Outage]>([:])
    private let hasFailed = Atomic(false)

    public init() {}

    /// What is named has failed once more.
    public func failed(
        _ what: String, _ error: any Error, _ message: Logger.Message = "trying again",
        clock: PipelineClock, logger: Logger, metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        let outage = known.withLock { known in
            if let outage = known[what] { return outage }
            let outage = Outage(what, message, clock: clock, logger: logger)
            known[what] = outage
            return outage
        }
        hasFailed.store(true, ordering: .relaxed)
        outage.failed(error, metadata: metadata())
    }

    /// What is named works.
    public func succeeded(_ what: @autoclosure () -> String) {
        guard hasFailed.load(ordering: .relaxed) else { return }
        let what = what()
        known.withLock { $0[what] }?.succeeded()
    }
}
