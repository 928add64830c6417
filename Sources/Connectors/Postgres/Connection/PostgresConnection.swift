internal import Concurrency
internal import Calendar
internal import CPostgres
internal import Metrics
internal import Glibc
internal import PipelineCore

/// One connection, lent by ``PostgresPool`` to a closure that runs on the connection's own thread.
///
/// Its methods block that thread. It is not `Sendable` and must not leave the closure. Every
/// method throws ``PipelineCore/PipelineError`` whose cause is a ``PostgresError``, or
/// `CancellationError` when the task that borrowed it was cancelled and the statement did not end
/// within the pool's grace.
@safe public final class PostgresConnection {
    let handle: OpaquePointer
    let server: String
    let signal: CancellationSignal
    let graceNanoseconds: UInt64
    let parameters = PostgresParameters()
    var statements: [String: PreparedStatement] = [:]
    var statementsPrepared = 0
    /// Set when the state of the connection is not known any more: it is closed after the loan.
    var isSpent = false
    /// Set when the server has said that it is not the one to ask: its other sessions are useless,
    /// too.
    var isMisplaced = false
    /// Set when a statement has failed for want of space on the server's disk.
    var hasMetFullDisk = false
    /// Why the server was not told that a statement has been given up.
    var lostCancellation: PipelineError?
    /// Whether a pooler such as PgBouncer stands in between, and may run each transaction in
    /// another session: nothing may outlast a transaction then.
    private(set) var isPooled = false
    /// Sets the server settings of each transaction, where it is not empty.
    var localSettings = PostgresScript("")
    /// How long the statements of a loan took; nothing counts before the first.
    var times: Histogram?
    private let needsWrites: Bool
    /// Whether it has been made: what the server refuses until then, it refuses to everybody.
    private(set) var hasBegun = false

    /// Connects. Blocks until the server answers or the timeout has passed.
    private init(
        _ settings: ConnectionSettings, _ target: ConnectionSettings.Target,
        signal: CancellationSignal, grace: Duration
    ) throws {
        server = target.server
        needsWrites = settings.needsWrites
        self.signal = signal
        graceNanoseconds = UInt64(clamping: grace.wholeNanoseconds)
        unsafe handle = try Self.start(target)
        try finishConnecting(timeoutSeconds: settings.connectTimeoutSeconds)
        unsafe PQsetnonblocking(handle, 1)
        try begin(settings.session)
        unsafe PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        hasBegun = true
    }

    deinit { unsafe PQfinish(handle) }

    /// Connects to the first of the named servers that will do.
    ///
    /// - Throws: what the only one said, or what each of them said. A refusal that trying again
    ///   does not mend, such as a wrong password, is not tried on the others.
    static func open(
        _ settings: ConnectionSettings, signal: CancellationSignal, grace: Duration
    ) throws -> PostgresConnection {
        var refusals: [PipelineError] = []
        for target in settings.targets {
            do {
                return try PostgresConnection(settings, target, signal: signal, grace: grace)
            } catch let error as PipelineError where error.disposition == .retryable {
                refusals.append(error)
            }
        }
        // Too few connections are a matter of the pool's; the rest is told as it was said.
        guard var error = refusals.first(where: { $0.code == .storeBusy }) ?? refusals.first
        else { throw PipelineError.retryable(.storeUnavailable, "no server is named") }
        if refusals.count > 1 {
            error.message = refusals.map(\.message).joined(separator: "; ")
        }
        throw error
    }

    private static func start(_ target: ConnectionSettings.Target) throws -> OpaquePointer {
        let handle = unsafe ConnectionSettings.withParameters(target.values) {
            unsafe PQconnectStartParams($0, $1, 0)
        }
        guard let handle = unsafe handle else {
            throw PipelineError.retryable(.storeUnavailable, "no memory for a connection")
        }
        // The only way to learn the SQLSTATE of a refused connection: it then stands in the
        // message.
        unsafe PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        unsafe PQsetNoticeProcessor(handle, { _, _ in }, nil)
        return unsafe handle
    }

    /// Finds out who is there, and gives a session of our own its settings, in one round trip.
    ///
    /// A pooler hands out process ids of its own making. Start-up `options` would be refused by it,
    /// or taken and forgotten; and what is set in a session that others use next would stay there.
    private func begin(_ settings: [String: String]) throws {
        let ours: PostgresScript = "pg_backend_pid() = \(unsafe PQbackendPID(handle))"
        let sets = PostgresScript.settings(settings, local: false)
        let answer = try execute(
            """
            select (\(ours))::int, case when \(ours) then concat(\(sets)) end,
              current_setting(\(ConnectionSettings.isolation))
            """, from: [])[0]
        isPooled = answer.int64(0, 0) == 0
        guard isPooled else { return }
        localSettings = .settings(
            settings.filter { $0.key != ConnectionSettings.isolation }, local: true)
        let isolation = answer.text(0, 2)
        guard isolation == settings[ConnectionSettings.isolation] ?? isolation else {
            throw PipelineError.fatal(
                .storeOptions,
                "PostgreSQL at \(server), behind a pooler, begins transactions as \(isolation):"
                    + " ALTER ROLE … SET default_transaction_isolation = 'read committed'")
        }
    }

    private func finishConnecting(timeoutSeconds: Int) throws {
        let deadline = MonotonicTime.nanosecondsNow + UInt64(timeoutSeconds) * 1_000_000_000
        guard unsafe PQstatus(handle) != CONNECTION_BAD else { throw connectionError() }
        var events = Int16(POLLOUT)
        while true {
            guard try wait(for: events, until: deadline) else {
                throw PipelineError.retryable(
                    .storeUnavailable,
                    "PostgreSQL at \(server) does not answer within \(timeoutSeconds) s"
                ).of(.postgres(server))
            }
            switch unsafe PQconnectPoll(handle) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: events = Int16(POLLIN)
            case PGRES_POLLING_WRITING: events = Int16(POLLOUT)
            default: throw connectionError()
            }
        }
    }

    /// Whether the server, which is to take writes, has said that it takes none any more.
    var hasTurnedReadOnly: Bool {
        if !needsWrites { return false }
        let told: [String] = ["default_transaction_read_only", "in_hot_standby"]
        return told.contains { (name: String) in
            guard let value = unsafe PQparameterStatus(handle, name) else { return false }
            return unsafe String(cString: value) == "on"
        }
    }

    /// Whether no transaction is open, so that what is sent next begins one.
    var isOutsideTransaction: Bool { unsafe PQtransactionStatus(handle) == PQTRANS_IDLE }

    /// Whether the server still holds its end, as far as the socket tells without asking.
    func isAlive() -> Bool {
        if isSpent { return false }
        // A farewell message first, then the end of the stream: two reads.
        for _ in 0..<3 {
            var entry = unsafe pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&entry, 1, 0) > 0 else { break }
            guard unsafe PQconsumeInput(handle) == 1 else { return false }
            _ = unsafe PQisBusy(handle)
        }
        return unsafe PQstatus(handle) == CONNECTION_OK
    }

    /// Counts the time of a statement, or of several sent together.
    func timed<T>(_ body: () throws -> T) rethrows -> T {
        guard let times else { return try body() }
        return try times.time(body)
    }

    /// Whether its end has been seen.
    var isLost: Bool { unsafe PQstatus(handle) != CONNECTION_OK }

    /// Whether the next borrower can have it.
    var isClean: Bool {
        unsafe !isSpent && PQstatus(handle) == CONNECTION_OK
            && PQtransactionStatus(handle) == PQTRANS_IDLE
    }
}
