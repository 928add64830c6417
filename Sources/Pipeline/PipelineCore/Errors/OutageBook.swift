internal import Logging

/// Which operations fail for what: a pure state machine.
struct OutageBook: Sendable {
    /// What is told of by itself.
    enum Subject: Hashable {
        case backend(Backend)
        case operation(Operation)
    }

    /// What somebody does again and again.
    struct Operation: Hashable {
        let name: String
        /// The run of the process in which he does.
        let run: Int?

        init(_ name: String, of run: Int?) {
            self.name = name
            self.run = run
        }
    }

    /// What has come to its end.
    struct Ended {
        var subject: Subject
        var lasted: Duration
        /// If anything is to be said.
        var notice: OutageNotice?
    }

    /// While nobody fails for so long, and the backend answers, nobody is waiting to try again: the
    /// pauses of who would are shorter.
    static let quiet: Duration = .seconds(15)

    private var states: [Subject: OutageState] = [:]
    /// For what each operation fails.
    private var failing: [Operation: Subject] = [:]
    /// Backends that have been away, and until when what fails for lack of one of their kind is
    /// taken for what was still on its way then.
    private var aftermaths: [Backend: Instant] = [:]
    /// The run that is heard.
    private var run = 0

    /// Whether anything is to be looked up when something works.
    var isFailing: Bool { !failing.isEmpty || states.values.contains { $0.isFailing } }

    func isAway(_ kind: Backend.Kind) -> Bool { backend(away: { $0.kind == kind }) != nil }

    /// How long it has been away; zero while it is there, or has hardly failed.
    func lasts(_ backend: Backend, _ now: Instant) -> Duration? {
        let lasted = states[.backend(backend)]?.lasts(now) ?? .zero
        return lasted < Outages.shortest ? .zero : lasted
    }

    func hears(_ run: Int?) -> Bool { run == nil || run == self.run }

    /// - Returns: the run's number.
    mutating func beginRun() -> Int {
        run += 1
        for (operation, subject) in failing where operation.run != nil {
            failing[operation] = nil
            if subject == .operation(operation) { states[subject] = nil }
        }
        return run
    }

    mutating func forgetAll(but backends: Set<Backend>) {
        func isForgotten(_ subject: Subject) -> Bool {
            if case .backend(let backend) = subject { !backends.contains(backend) } else { false }
        }
        states = states.filter { !isForgotten($0.key) }
        failing = failing.filter { !isForgotten($0.value) }
        aftermaths = aftermaths.filter { backends.contains($0.key) }
    }

    /// - Returns: what is to be told of, and how, if anything is to be said.
    mutating func failed(
        _ what: Operation, _ error: any Error, since: Instant, _ now: Instant,
        _ reminder: Duration
    ) -> (Subject, OutageNotice?) {
        let subject = subject(of: error, now) ?? .operation(what)
        if let before = failing[what], before != subject, before == .operation(what) {
            // It goes on as the backend's.
            _ = states[before]?.succeeded(at: now, now)
        }
        failing[what] = subject
        return (
            subject,
            states[subject, default: OutageState(of: subject, reminder: reminder)]
                .failed(what, error, since: since, now)
        )
    }

    private func subject(of error: any Error, _ now: Instant) -> Subject? {
        guard let error = error as? PipelineError else { return nil }
        if let backend = error.backend { return .backend(backend) }
        guard error.disposition == .retryable else { return nil }
        if let away = backend(away: { $0.kind.has(error.code) }) { return away }
        return aftermaths.first { $0.value > now && $0.key.kind.has(error.code) }
            .map { .backend($0.key) }
    }

    private func backend(away suits: (Backend) -> Bool) -> Subject? {
        states.first { subject, state in
            guard case .backend(let backend) = subject else { return false }
            return state.isFailing && suits(backend)
        }?.key
    }

    mutating func succeeded(_ what: Operation, _ now: Instant) -> Ended? {
        guard let subject = failing.removeValue(forKey: what) else { return nil }
        return end(subject, at: now, now)
    }

    mutating func isQuiet(_ what: Operation, _ now: Instant) -> Ended? {
        guard let subject = failing.removeValue(forKey: what) else { return nil }
        return subject == .operation(what) ? end(subject, at: now, now) : nil
    }

    mutating func answered(_ backend: Backend, _ now: Instant) -> Ended? {
        let subject = Subject.backend(backend)
        guard let since = states[subject]?.answered(now),
            since.duration(to: now) >= Self.quiet
        else { return nil }
        return end(subject, at: since, now)
    }

    private mutating func end(_ subject: Subject, at end: Instant, _ now: Instant) -> Ended? {
        if case .backend(let backend) = subject {
            failing = failing.filter { $0.value != subject }
            aftermaths[backend] = now.advanced(by: Outages.reminder)
        }
        guard let (lasted, notice) = states[subject]?.succeeded(at: end, now) else { return nil }
        return Ended(subject: subject, lasted: lasted, notice: notice)
    }
}

/// What is worth a line now.
struct OutageNotice: Sendable {
    /// Failures since it began, the unsaid ones included.
    var failures: Int
    /// How long it has lasted.
    var lasted: Duration
    /// What failed last and why, where nothing has been said of it.
    var unsaid: (what: String, error: any Error)?

    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata =
            failures > 1 || lasted >= Outages.shortest
            ? ["failures": "\(failures)", "outage_seconds": "\(lasted.inSeconds)"] : [:]
        if let unsaid {
            metadata["what"] = "\(unsaid.what)"
            metadata["error"] = "\(unsaid.error)"
        }
        return metadata
    }
}

/// Decides when something is said about an outage: a pure state machine.
private struct OutageState: Sendable {
    /// One that has not ended.
    private struct Open {
        var since: Instant
        var failures = 0
        var isSaid = false
        var last: (what: OutageBook.Operation, error: any Error)
        /// Since when it answers, while nobody has failed after that.
        var answersSince: Instant?
    }
    private var open: Open?
    /// The last line. One that begins sooner after it is not said yet: it comes and goes.
    private var lastSaid: Instant?
    private let reminder: Duration
    /// Whether it may be over before it is worth a word: the stores, buses and caches that a
    /// process has are tried again; of generators another one is asked.
    private let mayBeRetry: Bool

    init(of subject: OutageBook.Subject, reminder: Duration) {
        if case .backend(let backend) = subject, backend.kind != .generator {
            mayBeRetry = true
        } else {
            mayBeRetry = false
        }
        self.reminder = reminder
    }

    var isFailing: Bool { open != nil }

    func lasts(_ now: Instant) -> Duration? { open?.since.duration(to: now) }

    /// - Returns: what to say: at the first failure, of a backend at the first after a second, and
    ///   then once a `reminder`.
    mutating func failed(
        _ what: OutageBook.Operation, _ error: any Error, since: Instant, _ now: Instant
    ) -> OutageNotice? {
        var current = open ?? Open(since: since, last: (what, error))
        current.since = min(current.since, since)
        current.failures += 1
        current.last = (what, error)
        current.answersSince = nil
        defer { open = current }
        let lasted = current.since.duration(to: now)
        if mayBeRetry, lasted < Outages.shortest { return nil }
        if let lastSaid, lastSaid.duration(to: now) < reminder { return nil }
        lastSaid = now
        defer { current.isSaid = true }
        // Its beginning, as far as anybody could know.
        if mayBeRetry, !current.isSaid, lasted < Outages.noteworthy {
            return OutageNotice(failures: 1, lasted: .zero)
        }
        return OutageNotice(failures: current.failures, lasted: lasted)
    }

    /// - Returns: since when it has answered, nobody failing; `nil` while it is not away.
    mutating func answered(_ now: Instant) -> Instant? {
        guard open != nil else { return nil }
        if open?.answersSince == nil { open?.answersSince = now }
        return open?.answersSince
    }

    /// - Returns: how long it lasted, and what to say of it, if its beginning was said, or if it
    ///   was too long to be passed over.
    mutating func succeeded(
        at end: Instant, _ now: Instant
    ) -> (lasted: Duration, notice: OutageNotice?)? {
        guard let ended = open else { return nil }
        open = nil
        let lasted = ended.since.duration(to: end)
        var notice = OutageNotice(failures: ended.failures, lasted: lasted)
        if !ended.isSaid {
            let isNew = lastSaid.map { $0.duration(to: now) >= reminder } ?? true
            guard mayBeRetry, lasted >= (isNew ? Outages.shortest : Outages.noteworthy) else {
                return (lasted, nil)
            }
            let name = ended.last.what.name.split(separator: "\n").last.map(String.init) ?? ""
            notice.unsaid = (name, ended.last.error)
        }
        lastSaid = now
        return (lasted, notice)
    }
}
