internal import Concurrency
internal import CPostgres
internal import Glibc
internal import PipelineCore
internal import Synchronization

extension PostgresConnection {
    /// Waits until the socket is ready. After a cancellation the statement gets the grace, then
    /// is cancelled on the server; when that does not help either, the connection is given up.
    ///
    /// - Parameter deadline: on the monotonic clock; `nil` for none.
    /// - Returns: `false` when the deadline has passed.
    func wait(for events: Int16, until deadline: UInt64? = nil) throws -> Bool {
        while true {
            let now = MonotonicTime.nanosecondsNow
            if let deadline, deadline <= now { return false }
            let requested = signal.requestedAt
            if requested != nil, unsafe PQstatus(handle) != CONNECTION_OK {
                isSpent = true  // still connecting: nothing is lost
                throw CancellationError()
            }
            if let requested, requested + graceNanoseconds <= now {
                try cancelOnServer(after: requested, now: now)
            }
            // After the request only the grace's end is waited for; after that, the second grace's.
            let cancellation = requested.map {
                $0 + graceNanoseconds <= now
                    ? $0 + 2 * graceNanoseconds + Self.cancellationNanoseconds
                    : $0 + graceNanoseconds
            }
            let limit = min(deadline ?? .max, cancellation ?? .max)
            let milliseconds =
                limit == .max
                ? -1 : Int32(clamping: (limit - min(limit, now) + 999_999) / 1_000_000)
            var entries = unsafe [
                pollfd(fd: PQsocket(handle), events: events, revents: 0),
                pollfd(
                    fd: requested == nil ? signal.descriptor : -1, events: Int16(POLLIN), revents: 0
                ),
            ]
            let ready = unsafe poll(&entries, 2, milliseconds)
            if ready < 0 && errno != EINTR {
                isSpent = true
                throw PipelineError.retryable(.storeUnavailable, "poll failed: \(errno)")
            }
            if entries[0].revents != 0 { return true }
        }
    }

    /// What the server has for a cancellation, besides the grace: a process whose own grace is over
    /// waits for it.
    private static let cancellationNanoseconds: UInt64 = 250_000_000

    private func cancelOnServer(after requested: UInt64, now: UInt64) throws {
        if !isSpent, let cancel = unsafe PQgetCancel(handle) {
            // It connects and waits for the server, without end if that stands still: on a thread
            // of its own, which nobody waits for.
            let request = unsafe CancelRequest(cancel)
            do { try WorkerThread().enqueue { request.send() } } catch {
                lostCancellation = error
            }
        }
        isSpent = true
        if requested + 2 * graceNanoseconds + Self.cancellationNanoseconds <= now {
            throw CancellationError()
        }
    }

    /// Nothing new is begun once the grace after a cancellation has passed.
    func checkCancellation() throws {
        guard let requested = signal.requestedAt else { return }
        if requested + graceNanoseconds <= MonotonicTime.nanosecondsNow {
            throw CancellationError()
        }
    }

    /// Sends what libpq holds back, and reads meanwhile, lest both ends wait for the other to read.
    func flush() throws {
        while true {
            let pending = unsafe PQflush(handle)
            if pending == 0 { return }
            if pending < 0 { throw connectionError() }
            _ = try wait(for: Int16(POLLIN | POLLOUT))
            if unsafe PQconsumeInput(handle) == 0 { throw connectionError() }
        }
    }

    /// The next result of what was sent; `nil` at the end of a statement.
    func nextResult() throws -> PostgresResult? {
        while unsafe PQisBusy(handle) == 1 {
            _ = try wait(for: Int16(POLLIN))
            if unsafe PQconsumeInput(handle) == 0 { throw connectionError() }
        }
        return unsafe PQgetResult(handle).map { unsafe PostgresResult(owning: $0) }
    }
}

/// libpq's copy of what a cancellation needs of its connection.
///
/// `Sendable`: the pointer never changes, and one thread uses it.
@safe private final class CancelRequest: @unchecked Sendable {
    private let cancel: OpaquePointer
    init(_ cancel: OpaquePointer) { unsafe self.cancel = cancel }
    deinit { unsafe PQfreeCancel(cancel) }

    func send() {
        var message = [CChar](repeating: 0, count: 256)
        _ = unsafe PQcancel(cancel, &message, Int32(message.count))
    }
}

/// Tells the thread that waits for the server that its caller has been cancelled.
@safe final class CancellationSignal: Sendable {
    private struct State {
        /// Counts the loans, so that a late cancellation does not reach the next borrower.
        var loan: UInt64 = 0
        var requestedAt: UInt64?
        /// A pipe, opened for the first loan; kept then.
        var ends: (reading: Int32, writing: Int32)?
    }
    private let state = Mutex(State())
    /// Readable once cancellation is requested; for `poll`.
    fileprivate var descriptor: Int32 { state.withLock { $0.ends?.reading ?? -1 } }

    deinit {
        guard let ends = state.withLock({ $0.ends }) else { return }
        close(ends.reading)
        close(ends.writing)
    }

    /// A new loan begins.
    /// - Throws: `store-unavailable`, retryable, when no descriptor is left.
    func begin() throws(PipelineError) -> UInt64 {
        try state.withLock { state throws(PipelineError) in
            if state.ends == nil { state.ends = try Self.pipe() }
            state.loan += 1
            if state.requestedAt != nil {
                var byte: UInt8 = 0
                _ = unsafe read(state.ends?.reading ?? -1, &byte, 1)
            }
            state.requestedAt = nil
            return state.loan
        }
    }

    private static func pipe() throws(PipelineError) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&ends) == 0 else {
            throw .retryable(
                .storeUnavailable,
                "no descriptor is left for a connection (\(unsafe String(cString: strerror(errno)))): raise the limit of open files (ulimit -n)"
            )
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    func request(loan: UInt64) {
        state.withLock { state in
            guard state.loan == loan, state.requestedAt == nil else { return }
            state.requestedAt = MonotonicTime.nanosecondsNow
            var byte: UInt8 = 1
            _ = unsafe write(state.ends?.writing ?? -1, &byte, 1)
        }
    }

    /// When it was requested, on the monotonic clock.
    var requestedAt: UInt64? { state.withLock { $0.requestedAt } }
}
