internal import Concurrency
internal import Metrics
internal import PipelineCore
internal import Synchronization

/// A place for one connection, and its thread.
final class PostgresSlot: @unchecked Sendable {
    // `connection` is touched by closures that run on `worker` only, one after the other; `worker`
    // is set once, before anybody else knows of the slot.
    private(set) var worker = WorkerThread()
    let signal = CancellationSignal()
    private let grace: Duration
    private var connection: PostgresConnection? {
        didSet { isConnected.store(connection != nil, ordering: .relaxed) }
    }
    /// For those who count.
    let isConnected = Atomic(false)
    /// Whose it is.
    private var origin: PostgresOrigin?
    /// Which of the address's servers the connection belongs to.
    private var era: UInt64 = 0
    /// Whose it was last, for those who choose among places.
    private let lastUser = Mutex<ObjectIdentifier?>(nil)

    init(grace: Duration, idleLimit: Duration) {
        self.grace = grace
        worker = WorkerThread(idleLimit: idleLimit) { [weak self] in self?.disconnect() }
    }

    /// Runs `body` with a living connection, on the worker's thread.
    ///
    /// - Parameters:
    ///   - origin: whose connection it has to be.
    ///   - purpose: what its statements are counted under.
    ///   - settings: server settings that hold during the loan.
    /// - Throws: ``NotConnected`` when there is no connection to be had; what `body` throws.
    func lend<T>(
        _ origin: PostgresOrigin, for purpose: PostgresPool.Purpose, _ settings: PostgresScript,
        _ body: (PostgresConnection) throws -> T
    ) throws -> T {
        let lent = try living(origin)
        lent.times = origin.metrics.times(of: purpose)
        let ownSettings = lent.localSettings
        if !settings.text.isEmpty {
            lent.localSettings =
                ownSettings.text.isEmpty ? settings : "\(ownSettings), \(settings)"
        }
        defer {
            lent.localSettings = ownSettings
            if lent.isMisplaced { origin.giveUp(era) }
            if lent.hasMetFullDisk { origin.hasNoSpace() }
            lent.hasMetFullDisk = false
            if let error = lent.lostCancellation {
                origin.note(
                    .warning,
                    "PostgreSQL at \(lent.server) could not be told that a statement was given up,"
                        + " and may go on with it: \(error.message)")
            }
            if lent.isLost { origin.metrics.lostConnections.increment() }
            if !lent.isClean { connection = nil }
        }
        return try body(lent)
    }

    /// Whether lending it needs no connection of another kind.
    func belongs(to origin: PostgresOrigin) -> Bool {
        lastUser.withLock { $0.map { $0 == ObjectIdentifier(origin) } ?? true }
    }

    private func living(_ origin: PostgresOrigin) throws -> PostgresConnection {
        if self.origin !== origin {
            connection = nil
            self.origin = origin
            lastUser.withLock { $0 = ObjectIdentifier(origin) }
        }
        if let connection {
            if connection.hasTurnedReadOnly { origin.giveUp(era) }
            if era == origin.era {
                if connection.isAlive() { return connection }
                origin.metrics.lostConnections.increment()
            }
            self.connection = nil
        }
        era = origin.era
        do {
            let new = try PostgresConnection.open(origin.settings, signal: signal, grace: grace)
            connection = new
            origin.succeeded(isPooled: new.isPooled)
            return new
        } catch let error as PipelineError {
            throw NotConnected(error: origin.judge(error))
        }
    }

    /// On the worker's thread.
    func disconnect() { connection = nil }

    /// Closes the connection if its server is not the one to ask any more. On the worker's thread.
    func disconnectIfOutdated() {
        if let origin, era != origin.era { connection = nil }
    }
}

/// There is no connection to be had.
struct NotConnected: Error {
    var error: PipelineError
}

/// Where connections come from, and what became of it: shared by the slots of a pool.
final class PostgresOrigin: Sendable {
    private struct State {
        var era: UInt64 = 0
        var hasWorked = false
        var isRefusing = false
        var isPooled = false
        var isFull = false
    }
    let settings: ConnectionSettings
    let metrics: PostgresMetrics
    private let state = Mutex(State())
    private let log: PostgresLog?

    init(_ settings: ConnectionSettings, log: PostgresLog?, metrics: MetricRegistry) {
        self.settings = settings
        self.metrics = PostgresMetrics(metrics, server: settings.server)
        self.log = log
    }

    /// Grows when the server is given up: connections of an older one are not used again.
    var era: UInt64 { state.withLock { $0.era } }

    /// Whether the server's disk was full when it was last written to.
    var isFull: Bool { state.withLock(\.isFull) }
    fileprivate func hasNoSpace() { state.withLock { $0.isFull = true } }
    func hasSpace() { state.withLock { $0.isFull = false } }

    /// Many sessions may say it of one server.
    fileprivate func giveUp(_ era: UInt64) {
        state.withLock { if $0.era == era { $0.era += 1 } }
    }

    fileprivate func succeeded(isPooled: Bool) {
        let (isNews, wasRefusing) = state.withLock { state in
            defer {
                state.hasWorked = true
                state.isRefusing = false
                state.isPooled = isPooled
            }
            return (isPooled && !state.isPooled, state.isRefusing)
        }
        if wasRefusing {
            note(.warning, "PostgreSQL at \(settings.server) takes this process again")
        }
        if isNews {
            note(
                .notice,
                "a pooler stands before PostgreSQL at \(settings.server): statements are not"
                    + " prepared, settings hold for a transaction")
        }
    }

    /// A mistake ends what asks, unless it was none before: then somebody else's change may be
    /// taken back, and what has been accepted waits for that.
    fileprivate func judge(_ error: PipelineError) -> PipelineError {
        guard error.disposition == .fatal else { return error }
        let (hasWorked, isNews) = state.withLock { state in
            defer { state.isRefusing = state.hasWorked }
            return (state.hasWorked, !state.isRefusing)
        }
        guard hasWorked else { return error }
        if isNews { note(.error, "\(error.message); it worked before, and is tried again") }
        var passing = error
        passing.disposition = .retryable
        return passing
    }

    func note(_ severity: PostgresLogLine.Severity, _ message: String) {
        log?(PostgresLogLine(severity: severity, message: message))
    }
}
