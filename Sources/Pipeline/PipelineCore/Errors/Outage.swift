public import Logging
internal import Synchronization

/// Something that fails again and again, told of when it begins, now and then while it lasts, and
/// when it ends.
///
/// However often it fails, and however often it comes and goes, the log gets two lines a `reminder`
/// at most. Where a backend is what is wrong, all who need it are told of as one. Saying that it
/// works costs an atomic read while all is well, so that a busy path can do so each time.
public struct Outage: Sendable {
    private let what: String
    private let message: Logger.Message
    private let outages: Outages

    /// - Parameters:
    ///   - what: what fails, as metadata: `stage answers: deliver`.
    ///   - message: what it means, in a sentence: `the cache can't be reached; the store answers`.
    ///   - outages: what else may fail for the same reason.
    public init(_ what: String, _ message: Logger.Message, among outages: Outages) {
        self.what = what
        self.message = message
        self.outages = outages
    }

    /// It has failed once more.
    /// - Parameter metadata: what to say besides `what` and the error, if anything is said.
    public func failed(
        _ error: any Error, metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        outages.failed(what, error, message, metadata: metadata())
    }

    /// It works.
    public func succeeded() { outages.succeeded(what) }
}

extension Outage {
    /// A store that refuses every record of a chunk for one reason: then it is more likely the
    /// store than they.
    ///
    /// It is told of, and they go to the dead letters all the same: whoever sends bad records could
    /// stop everybody else's if they were ever taken for the store's fault.
    public static func ofRefusals(at stage: String, among outages: Outages) -> Outage {
        Outage(
            "stage \(stage): store records",
            "the store refuses every record of a chunk for one reason: if it is a constraint or a trigger of its tables, stop the process and mend them; the records are in the dead letters",
            among: outages)
    }
}

/// All that fails in a process, each thing told of by itself, and a backend that is away once for
/// all who need it.
///
/// Whoever fails for a backend's sake joins its outage, and so does whoever fails meanwhile with an
/// error about a backend of that kind. It is over when one of them works.
public final class Outages: Sendable {
    /// How long to be silent between two lines of an outage that lasts.
    public static let reminder: Duration = .minutes(1)

    /// What the parts of a process share.
    private final class Shared: Sendable {
        let book = Mutex(OutageBook())
        let isFailing = Atomic(false)
        let logger: Logger
        let clock: PipelineClock
        let reminder: Duration

        init(_ clock: PipelineClock, _ logger: Logger, _ reminder: Duration) {
            self.clock = clock
            self.logger = logger
            self.reminder = reminder
        }
    }
    private let shared: Shared
    private let scope: String
    private let logger: Logger

    public init(
        clock: PipelineClock, logger: Logger, reminder: Duration = Outages.reminder
    ) {
        shared = Shared(clock, logger, reminder)
        self.logger = logger
        scope = ""
    }

    private init(_ shared: Shared, _ scope: String, _ logger: Logger) {
        self.shared = shared
        self.scope = scope
        self.logger = logger
    }

    /// The same for a part of the process, whose operations have names of their own and are told of
    /// by its logger.
    public func scoped(to name: String, logger: Logger) -> Outages {
        Outages(shared, "\(scope)\(name)\n", logger)
    }

    /// What is named has failed once more.
    ///
    /// - Parameters:
    ///   - message: what it means; of a backend it is said what goes on without it.
    ///   - metadata: what to say besides, if anything is said.
    public func failed(
        _ what: String, _ error: any Error, _ message: Logger.Message = "trying again",
        metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        let now = shared.clock.now
        let (subject, notice) = shared.book.withLock { book in
            shared.isFailing.store(true, ordering: .relaxed)
            return book.failed(scope + what, error, now, shared.reminder)
        }
        guard let notice else { return }
        var said = metadata().merging(notice.metadata) { $1 }
        said["what"] = "\(what)"
        said["error"] = "\(error)"
        guard case .backend(let backend) = subject else {
            return logger.warning(message, metadata: said)
        }
        said["backend"] = "\(backend)"
        shared.logger.warning(
            "a \(backend.kind) can't be used: \(backend.kind.meanwhile)", metadata: said)
    }

    /// Whether a backend of that kind is away, as far as has been noticed.
    public func isAway(_ kind: Backend.Kind) -> Bool {
        guard shared.isFailing.load(ordering: .relaxed) else { return false }
        return shared.book.withLock { book in
            book.failing.values.contains { subject in
                if case .backend(let backend) = subject { backend.kind == kind } else { false }
            }
        }
    }

    /// What is named works.
    public func succeeded(_ what: @autoclosure () -> String) {
        guard shared.isFailing.load(ordering: .relaxed) else { return }
        let what = what()
        let now = shared.clock.now
        let ended = shared.book.withLock { book in
            defer { shared.isFailing.store(!book.failing.isEmpty, ordering: .relaxed) }
            return book.succeeded(scope + what, now)
        }
        guard let ended, let notice = ended.notice else { return }
        var said = notice.metadata
        switch ended.subject {
        case .operation:
            said["what"] = "\(what)"
            logger.notice("works again", metadata: said)
        case .backend(let backend):
            said["backend"] = "\(backend)"
            shared.logger.notice("works again", metadata: said)
        }
    }
}

/// Which operations fail for what: a pure state machine.
private struct OutageBook: Sendable {
    /// What is told of by itself.
    enum Subject: Hashable {
        case backend(Backend)
        case operation(String)
    }
    private var states: [Subject: OutageState] = [:]
    /// For what each operation fails.
    private(set) var failing: [String: Subject] = [:]
    /// Backends that have been away, and until when what fails for lack of one of their kind is
    /// taken for what was still on its way then.
    private var aftermaths: [Backend: Instant] = [:]

    /// - Returns: what is to be told of, and how, if anything is to be said.
    mutating func failed(
        _ what: String, _ error: any Error, _ now: Instant, _ reminder: Duration
    ) -> (Subject, OutageState.Notice?) {
        let subject = subject(of: error, now) ?? .operation(what)
        if let before = failing[what], before != subject, before == .operation(what) {
            // It goes on as the backend's.
            _ = states[before]?.succeeded(now)
        }
        failing[what] = subject
        return (subject, states[subject, default: OutageState(reminder: reminder)].failed(now))
    }

    private func subject(of error: any Error, _ now: Instant) -> Subject? {
        guard let error = error as? PipelineError else { return nil }
        if let backend = error.backend { return .backend(backend) }
        guard error.disposition == .retryable else { return nil }
        let away = failing.values.first { subject in
            guard case .backend(let backend) = subject else { return false }
            return backend.kind.has(error.code)
        }
        if let away { return away }
        return aftermaths.first { $0.value > now && $0.key.kind.has(error.code) }
            .map { .backend($0.key) }
    }

    mutating func succeeded(
        _ what: String, _ now: Instant
    ) -> (subject: Subject, notice: OutageState.Notice?)? {
        guard let subject = failing.removeValue(forKey: what) else { return nil }
        if case .backend(let backend) = subject {
            failing = failing.filter { $0.value != subject }
            aftermaths[backend] = now.advanced(by: Outages.reminder)
        }
        return (subject, states[subject]?.succeeded(now))
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

        var metadata: Logger.Metadata {
            failures > 1
                ? ["failures": "\(failures)", "outage_seconds": "\(lasted.inSeconds)"] : [:]
        }
    }
    /// Well: `nil`. Failing: since when, how often, and whether that was said.
    private var failing: (since: Instant, failures: Int, isSaid: Bool)?
    /// The last line. One that begins sooner after it is not said yet: it comes and goes.
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
        lastSaid = now
        return Notice(failures: failing.failures, lasted: failing.since.duration(to: now))
    }
}
