internal import CPostgres
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

    /// Connects. Blocks until the server answers or the timeout has passed.
    init(_ settings: ConnectionSettings, signal: CancellationSignal, grace: Duration) throws {
        server = settings.server
        self.signal = signal
        graceNanoseconds = UInt64(clamping: grace.wholeNanoseconds)
        unsafe handle = try Self.start(settings)
        try finishConnecting(timeoutSeconds: settings.connectTimeoutSeconds)
        unsafe PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
        unsafe PQsetNoticeProcessor(handle, { _, _ in }, nil)
        unsafe PQsetnonblocking(handle, 1)
    }

    deinit { unsafe PQfinish(handle) }

    private static func start(_ settings: ConnectionSettings) throws -> OpaquePointer {
        let pairs = settings.values.sorted { $0.key < $1.key }
        let strings: [UnsafeMutablePointer<CChar>?] = unsafe pairs.flatMap { key, value in
            unsafe [strdup(key), strdup(value)]
        }
        defer { for index in unsafe strings.indices { unsafe free(strings[index]) } }
        let keywords =
            unsafe (0..<pairs.count).map { unsafe UnsafePointer(strings[2 * $0]) } + [nil]
        let values =
            unsafe (0..<pairs.count).map { unsafe UnsafePointer(strings[2 * $0 + 1]) } + [nil]
        guard let handle = unsafe PQconnectStartParams(keywords, values, 0) else {
            throw PipelineError.retryable("store-unavailable", "no memory for a connection")
        }
        // The only way to learn the SQLSTATE of a refused connection: it then stands in the
        // message.
        unsafe PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        return unsafe handle
    }

    private func finishConnecting(timeoutSeconds: Int) throws {
        let deadline = monotonicNanoseconds() + UInt64(timeoutSeconds) * 1_000_000_000
        guard unsafe PQstatus(handle) != CONNECTION_BAD else { throw connectionError() }
        var events = Int16(POLLOUT)
        while true {
            guard try wait(for: events, until: deadline) else {
                throw PipelineError.retryable(
                    "store-unavailable",
                    "PostgreSQL at \(server) does not answer within \(timeoutSeconds) s")
            }
            switch unsafe PQconnectPoll(handle) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: events = Int16(POLLIN)
            case PGRES_POLLING_WRITING: events = Int16(POLLOUT)
            default: throw connectionError()
            }
        }
    }

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

    /// Whether the next borrower can have it.
    var isClean: Bool {
        unsafe !isSpent && PQstatus(handle) == CONNECTION_OK
            && PQtransactionStatus(handle) == PQTRANS_IDLE
    }
}
