internal import Glibc
internal import Synchronization

/// Tells the thread that waits for the server that its caller has been cancelled.
@safe final class CancellationSignal: Sendable {
    private struct State {
        /// Counts the loans, so that a late cancellation does not reach the next borrower.
        var loan: UInt64 = 0
        var requestedAt: UInt64?
    }
    private let state = Mutex(State())
    /// Readable once cancellation is requested; for `poll`.
    let descriptor: Int32
    private let writingEnd: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        let failed = unsafe pipe(&ends)
        precondition(failed == 0, "no file descriptor left: \(errno)")
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        descriptor = ends[0]
        writingEnd = ends[1]
    }

    deinit {
        close(descriptor)
        close(writingEnd)
    }

    /// A new loan begins.
    func begin() -> UInt64 {
        state.withLock { state in
            state.loan += 1
            if state.requestedAt != nil {
                var byte: UInt8 = 0
                _ = unsafe read(descriptor, &byte, 1)
            }
            state.requestedAt = nil
            return state.loan
        }
    }

    func request(loan: UInt64) {
        state.withLock { state in
            guard state.loan == loan, state.requestedAt == nil else { return }
            state.requestedAt = monotonicNanoseconds()
            var byte: UInt8 = 1
            _ = unsafe write(writingEnd, &byte, 1)
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
