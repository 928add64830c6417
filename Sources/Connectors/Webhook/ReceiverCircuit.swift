internal import PipelineCore

/// Decides whether a receiver that failed is called again: a pure state machine, without clock or
/// I/O.
///
/// While it is open no call is made. When the back-off is over, or the time that the receiver has
/// asked for, one call tries; the others wait for what becomes of it.
struct ReceiverCircuit: Sendable {
    private enum State {
        /// Calls are made; the last ones have failed, so many in a row. Too many open.
        case closed(failures: Int)
        /// It opened so often in a row. `until` is when the next try may begin.
        case open(openings: Int, until: Instant)
        /// A call tries. An answer closes, a failure opens for longer.
        case trying(openings: Int)
    }

    enum Admission {
        case pass
        /// For what becomes of the call that tries.
        case wait
        case refuse(PipelineError)
    }

    /// So many failures in a row, of calls that might have failed for a reason of their own.
    static let mostFailures = 5
    static let shortestBackOff = Duration.milliseconds(500)
    static let longestBackOff = Duration.seconds(5)
    /// Who has calls to make tries more often than that: a failure that is older is nobody's.
    static let memory = Duration.minutes(1)

    private var state = State.closed(failures: 0)
    private var last: (error: PipelineError, at: Instant)?

    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// Why calls fail; `nil` while they don't, or nobody has made any for a while.
    func problem(at now: Instant) -> PipelineError? {
        guard !isClosed, let last, last.at.duration(to: now) < Self.memory else { return nil }
        return last.error
    }

    mutating func admit(now: Instant) -> Admission {
        switch state {
        case .closed: return .pass
        case .trying: return .wait
        case .open(let openings, let until):
            if let last, now < until { return .refuse(last.error) }
            state = .trying(openings: openings)
            return .pass
        }
    }

    /// The receiver has answered a call. While it is open that is a call from before.
    mutating func succeeded() {
        if case .open = state { return }
        state = .closed(failures: 0)
    }

    /// A call has failed as any would, or as one may.
    ///
    /// - Parameters:
    ///   - pause: how long calls would fail, at least; `nil` if others may work.
    ///   - jitter: uniform in 0 ..< 1; shortens the back-off by up to a half.
    mutating func failed(
        _ error: PipelineError, awayFor pause: Duration?, now: Instant, jitter: Double
    ) {
        last = (error, now)
        let openings: Int
        switch state {
        case .closed(let failures):
            guard pause != nil || failures + 1 >= Self.mostFailures else {
                state = .closed(failures: failures + 1)
                return
            }
            openings = 0
        // Another call's failure in the same outage.
        case .open(let before, let until):
            let asked = now.advanced(by: pause ?? .zero)
            state = .open(openings: before, until: max(until, asked))
            return
        case .trying(let before): openings = before
        }
        let backOff = min(Self.shortestBackOff * (1 << min(openings, 10)), Self.longestBackOff)
        let wait = max(backOff * (1 - jitter / 2), pause ?? .zero)
        state = .open(openings: openings + 1, until: now.advanced(by: wait))
    }

    /// A call has been given up, by whoever made it: if it was the one that tries, another one may.
    mutating func abandoned(now: Instant) {
        if case .trying(let openings) = state { state = .open(openings: openings, until: now) }
    }
}
