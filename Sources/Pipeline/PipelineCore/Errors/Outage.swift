public import Logging
public import Metrics
internal import Synchronization

/// Something that fails again and again, told of when it begins, now and then while it lasts, and
/// when it ends.
///
/// However often it fails, the log gets a line a `reminder` while it lasts; of what comes and goes
/// more often than three times in a `reminder`, it gets the count. Where a backend is what is
/// wrong, all who need it are told of as one. Saying that it works costs an atomic read while all
/// is well, so that a busy path can do so each time.
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
/// error about a backend of that kind. It is over when one of them works, or when the backend has
/// answered its probes for a while and nobody fails any more. One that a retry ends within a second
/// is none; any other is counted, and has a line when it ends at least. What comes and goes more
/// often than three times in a `reminder` is told of as that, with the number of them.
public final class Outages: Sendable {
    /// How long to be silent between two lines of an outage that lasts.
    public static let reminder: Duration = .minutes(1)
    /// A backend that works again sooner was not away.
    public static let shortest: Duration = .seconds(1)
    /// One that was away for so long has lines of its own, however often it comes and goes.
    public static let noteworthy: Duration = .seconds(5)

    /// What the parts of a process share.
    private final class Shared: Sendable {
        let book = Mutex(OutageBook())
        let isFailing = Atomic(false)
        let logger: Logger
        let clock: PipelineClock
        let reminder: Duration
        let metrics: MetricRegistry

        init(
            _ clock: PipelineClock, _ logger: Logger, _ reminder: Duration,
            _ metrics: MetricRegistry
        ) {
            self.clock = clock
            self.logger = logger
            self.reminder = reminder
            self.metrics = metrics
        }

        /// Changes the book, and takes note whether there is anything to look up.
        func change<Result>(_ body: (inout OutageBook) -> Result) -> Result {
            book.withLock { book in
                defer { isFailing.store(book.isFailing, ordering: .relaxed) }
                return body(&book)
            }
        }

        /// Says what has come and gone too often to be told of each time.
        func tellUnsaid(_ now: Instant) {
            for (subject, unsaid, time) in change({ $0.unsaid(now) }) {
                var said: Logger.Metadata = [
                    "what": "\(unsaid.last.what)", "error": "\(unsaid.last.error)",
                ]
                switch subject {
                case .backend(let backend): said["backend"] = "\(backend)"
                case .operation(let operation):
                    if let pipeline = operation.pipeline { said["pipeline"] = "\(pipeline)" }
                }
                logger.warning(
                    "comes and goes: \(unsaid.count) more outage\(unsaid.count == 1 ? "" : "s") in the last \(time.components.seconds) s, \(unsaid.lasted.components.seconds) s in all",
                    metadata: said)
            }
        }
    }
    private let shared: Shared
    private let scope: String
    private let logger: Logger
    /// Which run of the process it belongs to; `nil`: to none.
    private let run: Int?

    public init(
        clock: PipelineClock, logger: Logger, reminder: Duration = Outages.reminder,
        metrics: MetricRegistry = MetricRegistry()
    ) {
        shared = Shared(clock, logger, reminder, metrics)
        self.logger = logger
        scope = ""
        run = nil
    }

    private init(_ shared: Shared, _ scope: String, _ logger: Logger, _ run: Int?) {
        self.shared = shared
        self.scope = scope
        self.logger = logger
        self.run = run
    }

    /// The same for a part of the process, whose operations have names of their own and are told of
    /// by its logger.
    public func scoped(to name: String, logger: Logger) -> Outages {
        Outages(shared, "\(scope)\(name)\n", logger, run)
    }

    /// The same for a run of the process's pipelines: the run before has ended, what failed in it
    /// is forgotten, and it is not heard any more.
    public func ofNextRun() -> Outages {
        Outages(shared, scope, logger, shared.change { $0.beginRun() })
    }

    /// What the run uses: other backends are forgotten. What is away stays away, and what can be
    /// told of each as metrics is there from now on.
    public func use(_ backends: Set<Backend>) {
        shared.change { $0.forgetAll(but: backends) }
        for backend in backends {
            _ = shared.metrics.histogram(.outageSeconds, backend.name)
            shared.metrics.setGauge(.openOutageSeconds, backend.name) { [weak shared] in
                shared.flatMap { shared in
                    let now = shared.clock.now
                    return shared.book.withLock { $0.lasts(backend, now) }?.inSeconds
                }
            }
        }
    }

    /// What is named has failed once more.
    ///
    /// - Parameters:
    ///   - message: what it means; of a backend it is said what goes on without it.
    ///   - took: how long it has hung before. A time, since clocks have beginnings of their own.
    ///   - metadata: what to say besides, if anything is said.
    public func failed(
        _ what: String, _ error: any Error, _ message: Logger.Message = "trying again",
        after took: Duration = .zero, metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        let now = shared.clock.now
        shared.tellUnsaid(now)
        let failure: (subject: OutageBook.Subject, notice: OutageNotice?)? = shared.change { book in
            guard book.hears(run) else { return nil }
            return book.failed(
                OutageBook.Operation(scope + what, of: run), error,
                since: now.advanced(by: .zero - took), now, shared.reminder)
        }
        guard let failure, let notice = failure.notice else { return }
        var said = metadata().merging(notice.metadata) { $1 }
        said["what"] = "\(what)"
        said["error"] = "\(error)"
        guard case .backend(let backend) = failure.subject else {
            return logger.warning(message, metadata: said)
        }
        said["backend"] = "\(backend)"
        shared.logger.warning(
            "a \(backend.kind) can't be used: \(backend.kind.meanwhile)", metadata: said)
    }

    /// A backend has not answered what is named for so long, and may never: nobody fails meanwhile.
    public func isSilent(_ backend: Backend, at what: String, for time: Duration) {
        failed(
            what,
            PipelineError.retryable(backend.kind.absence, "\(backend) does not answer").of(backend),
            after: time)
    }

    /// Whether a backend of that kind is away, as far as has been noticed.
    public func isAway(_ kind: Backend.Kind) -> Bool {
        guard shared.isFailing.load(ordering: .relaxed) else { return false }
        return shared.book.withLock { $0.isAway(kind) }
    }

    /// What is named works.
    public func succeeded(_ what: @autoclosure () -> String) {
        guard shared.isFailing.load(ordering: .relaxed) else { return }
        let what = what()
        end(what) { $0.succeeded($1, $2) }
    }

    /// What is named has not failed for a while, which may be because it hangs: that ends what was
    /// its own trouble, and says nothing of a backend.
    public func isQuiet(_ what: String) {
        guard shared.isFailing.load(ordering: .relaxed) else { return }
        end(what) { $0.isQuiet($1, $2) }
    }

    /// A backend has answered what is named, which asks it now and then: if it was away for others,
    /// and none of them has failed for a while, it has been there again since then.
    public func answered(_ backend: Backend?, at what: String) {
        guard shared.isFailing.load(ordering: .relaxed) else { return }
        end(what) { book, operation, now in
            book.succeeded(operation, now) ?? backend.flatMap { book.answered($0, now) }
        }
    }

    private func end(
        _ what: String,
        _ body: (inout OutageBook, OutageBook.Operation, Instant) -> OutageBook.Ended?
    ) {
        let now = shared.clock.now
        shared.tellUnsaid(now)
        let ended: OutageBook.Ended? = shared.change { book in
            guard book.hears(run) else { return nil }
            return body(&book, OutageBook.Operation(scope + what, of: run), now)
        }
        guard let ended else { return }
        switch ended.subject {
        case .operation:
            guard let notice = ended.notice else { return }
            var said = notice.metadata
            said["what"] = "\(what)"
            logger.notice("works again", metadata: said)
        case .backend(let backend):
            if ended.lasted >= Self.shortest {
                shared.metrics.histogram(.outageSeconds, backend.name).observe(ended.lasted)
            }
            guard let notice = ended.notice else { return }
            var said = notice.metadata
            said["backend"] = "\(backend)"
            shared.logger.notice("works again", metadata: said)
        }
    }
}

extension MetricDeclaration {
    /// Those of every process that needs backends.
    public static let ofOutages = [outageSeconds, openOutageSeconds]

    fileprivate static let outageSeconds = histogram(
        "penstock_outage_seconds",
        "How long a backend was away, for each time that it came back; what is over within a second is not counted.",
        labels: "backend", buckets: .init([1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400]))
    fileprivate static let openOutageSeconds = gauge(
        "penstock_open_outage_seconds",
        "How long a backend has been away by now; 0 while it is there.", labels: "backend")
}
