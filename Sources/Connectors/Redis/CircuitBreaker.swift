internal import PipelineCore

/// Decides whether a server that failed is asked again: a pure state machine, without clock or I/O.
///
/// While it is open every call is refused at once, so that nobody waits for a server that is down.
/// When the back-off is over, one attempt is made, beside the calls, which go on being refused
/// until it succeeds.
struct CircuitBreaker: Sendable {
    private enum State {
        /// The server answers, or has not been asked yet. A failure opens.
        case closed
        /// The server failed so often in a row. `until` is when the next attempt may begin.
        case open(failures: Int, until: Instant, error: PipelineError)
        /// An attempt is under way. Its success closes, its failure opens for longer.
        case attempting(failures: Int, error: PipelineError)
    }

    enum Admission {
        case pass
        case refuse(PipelineError)
        /// Refuse, and begin an attempt: the next admission takes it for begun.
        case refuseAndAttempt(PipelineError)
    }

    private static let shortestBackOff = Duration.milliseconds(50)
    static let longestBackOff = Duration.seconds(5)

    private var state = State.closed

    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// - Parameter canAttempt: whether somebody is free to make an attempt.
    mutating func admit(now: Instant, canAttempt: Bool) -> Admission {
        switch state {
        case .closed: return .pass
        case .attempting(_, let error): return .refuse(error)
        case .open(let failures, let until, let error):
            guard now >= until, canAttempt else { return .refuse(error) }
            state = .attempting(failures: failures, error: error)
            return .refuseAndAttempt(error)
        }
    }

    mutating func succeeded() { state = .closed }

    /// - Parameter jitter: uniform in 0 ..< 1; shortens the back-off by up to a half.
    mutating func failed(_ error: PipelineError, now: Instant, jitter: Double) {
        let failures: Int
        switch state {
        case .closed: failures = 0
        // Another connection's failure in the same outage.
        case .open(let before, let until, _) where now < until:
            state = .open(failures: before, until: until, error: error)
            return
        case .open(let before, _, _), .attempting(let before, _): failures = before
        }
        let backOff = min(Self.shortestBackOff * (1 << min(failures, 10)), Self.longestBackOff)
        state = .open(
            failures: failures + 1, until: now.advanced(by: backOff * (1 - jitter / 2)),
            error: error)
    }
}
