internal import Glibc
internal import PipelineCore
internal import Synchronization

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
    var descriptor: Int32 { state.withLock { $0.ends?.reading ?? -1 } }

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
                "store-unavailable",
                "no descriptor is left for a connection (\(unsafe String(cString: strerror(errno)))): raise the limit of open files (ulimit -n)"
            )
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }

    func request(loan: UInt64) {
        state.withLock { state in
            guard state.loan == loan, state.requestedAt == nil else { return }
            state.requestedAt = monotonicNanoseconds()
            var byte: UInt8 = 1
            _ = unsafe write(state.ends?.writing ?? -1, &byte, 1)
        }
    }

    /// When it was requested, on the monotonic clock.
    var requestedAt: UInt64? { state.withLock { $0.requestedAt } }
}

/// The real clock even where time is simulated: it bounds waits on a real socket.
func monotonicNanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
