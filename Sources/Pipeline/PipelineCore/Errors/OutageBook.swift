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

        /// Without the names of the parts of the process that it is done in.
        var shortName: String { name.split(separator: "\n").last.map(String.init) ?? "" }
        /// The outermost of these parts; `nil` for none: a pipeline.
        var pipeline: String? {
            let parts = name.split(separator: "\n", omittingEmptySubsequences: false)
            return parts.count > 1 && !parts[0].isEmpty ? String(parts[0]) : nil
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
    /// Operations that failed when the outage of their backend ended, since another one worked:
    /// what they fail for next may be from before. Until when that is so.
    private var stragglers: [Operation: Instant] = [:]
    /// The run that is heard.
    private var run = 0

    /// Whether anything is to be looked up when something works.
    var isFailing: Bool {
        !failing.isEmpty || !stragglers.isEmpty
            || states.values.contains { $0.isFailing || $0.hasUnsaid }
    }

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
        stragglers = stragglers.filter { $0.key.run == nil }
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
        if case .backend = subject, let end = stragglers.removeValue(forKey: what), now < end,
            states[subject]?.isFailing != true
        {
            return (subject, nil)
        }
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

    /// What has come and gone too often to be told of each time, where it is time to say so.
    mutating func unsaid(_ now: Instant) -> [(subject: Subject, UnsaidOutages, for: Duration)] {
        states.keys.compactMap { subject in
            states[subject]?.takeUnsaid(now).map { (subject, $0, $0.since.duration(to: now)) }
        }
    }

    mutating func succeeded(_ what: Operation, _ now: Instant) -> Ended? {
        stragglers[what] = nil
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
            for what in failing.filter({ $0.value == subject }).keys {
                failing[what] = nil
                stragglers[what] = now.advanced(by: Self.quiet)
            }
            aftermaths[backend] = now.advanced(by: Outages.reminder)
        }
        guard let (lasted, notice) = states[subject]?.succeeded(at: end, now) else { return nil }
        return Ended(subject: subject, lasted: lasted, notice: notice)
    }
}

/// Outages that are over, of which nothing has been said.
struct UnsaidOutages: Sendable {
    /// When the first of them ended.
    var since: Instant
    var count = 0
    /// All together.
    var lasted: Duration = .zero
    /// Whether any of them had deserved a line.
    var hasLong = false
    var last: (what: String, error: any Error)

    mutating func add(_ lasted: Duration, _ what: OutageBook.Operation, _ error: any Error) {
        count += 1
        self.lasted += lasted
        if lasted >= Outages.shortest { hasLong = true }
        last = (what.shortName, error)
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
    /// Those before, of which nothing has been said.
    var before: UnsaidOutages?

    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata =
            failures > 1 || lasted >= Outages.shortest
            ? ["failures": "\(failures)", "outage_seconds": "\(lasted.inSeconds)"] : [:]
        if let unsaid {
            metadata["what"] = "\(unsaid.what)"
            metadata["error"] = "\(unsaid.error)"
        }
        if let before {
            metadata["more_outages"] = "\(before.count)"
            metadata["more_outage_seconds"] = "\(before.lasted.inSeconds)"
        }
        return metadata
    }
}

/// Decides when something is said about an outage: a pure state machine.
///
/// Each has a line when it begins, once it has lasted for a second, and one when it ends. Of what
/// comes and goes no more are told of in a `reminder` than ``most``: the others are counted, and
/// the count is told when a `reminder` is over, unless one that is told of has told it before.
private struct OutageState: Sendable {
    private static let most = 3

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
    private var lastSaid: Instant?
    /// When the last that were told of had their first line.
    private var told: [Instant] = []
    private var unsaid: UnsaidOutages?
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
    var hasUnsaid: Bool { unsaid != nil }

    func lasts(_ now: Instant) -> Duration? { open?.since.duration(to: now) }

    /// Whether nothing has been said for a `reminder`.
    private func isSilent(_ now: Instant) -> Bool {
        lastSaid.map { $0.duration(to: now) >= reminder } ?? true
    }

    /// Whether one of which nothing has been said yet is to be told of.
    private func deservesLine(_ lasted: Duration, _ now: Instant) -> Bool {
        if lasted >= Outages.noteworthy { return true }
        if lasted < Outages.shortest {
            return !mayBeRetry && isSilent(now)
        }
        return unsaid?.hasLong != true
            && told.count { $0.duration(to: now) < reminder } < Self.most
    }

    private mutating func say(
        _ notice: OutageNotice, isFirst: Bool, _ now: Instant
    ) -> OutageNotice {
        lastSaid = now
        if isFirst { told = told.suffix(Self.most - 1) + [now] }
        var notice = notice
        notice.before = unsaid.take()
        return notice
    }

    /// - Returns: those of which nothing has been said for a `reminder`.
    mutating func takeUnsaid(_ now: Instant) -> UnsaidOutages? {
        guard let unsaid, unsaid.since.duration(to: now) >= reminder else { return nil }
        self.unsaid = nil
        told = []
        lastSaid = now
        return unsaid
    }

    /// - Returns: what to say: when it begins, of a backend at the first failure after a second,
    ///   and then once a `reminder`.
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
        let isFirst = !current.isSaid
        guard isFirst ? deservesLine(lasted, now) : isSilent(now) else { return nil }
        current.isSaid = true
        // Its beginning, as far as anybody could know.
        let begins = isFirst && mayBeRetry && lasted < Outages.noteworthy
        return say(
            OutageNotice(
                failures: begins ? 1 : current.failures, lasted: begins ? .zero : lasted),
            isFirst: isFirst, now)
    }

    /// - Returns: since when it has answered, nobody failing; `nil` while it is not away.
    mutating func answered(_ now: Instant) -> Instant? {
        guard open != nil else { return nil }
        if open?.answersSince == nil { open?.answersSince = now }
        return open?.answersSince
    }

    /// - Returns: how long it lasted, and what to say of it.
    mutating func succeeded(
        at end: Instant, _ now: Instant
    ) -> (lasted: Duration, notice: OutageNotice?)? {
        guard let ended = open else { return nil }
        open = nil
        let lasted = ended.since.duration(to: end)
        var notice = OutageNotice(failures: ended.failures, lasted: lasted)
        if !ended.isSaid {
            guard lasted >= Outages.shortest, deservesLine(lasted, now) else {
                if lasted >= Outages.shortest || !mayBeRetry {
                    let name = ended.last.what.shortName
                    unsaid =
                        unsaid ?? UnsaidOutages(since: now, last: (name, ended.last.error))
                    unsaid?.add(lasted, ended.last.what, ended.last.error)
                }
                return (lasted, nil)
            }
            notice.unsaid = (ended.last.what.shortName, ended.last.error)
        }
        return (lasted, say(notice, isFirst: !ended.isSaid, now))
    }
}
