internal import Calendar
internal import Dispatch
internal import Synchronization

/// Counts the calls that tasks have borrowed, limits their number, and ends those that would hold
/// up a shutdown.
final class OpenCalls: Sendable {
    typealias Ticket = UInt64

    private struct Call {
        let policy: ShutdownPolicy
        let connection: ClientConnection?
        /// `nil` until the call's task has been started.
        var cancel: (@Sendable () -> Void)?
    }
    fileprivate enum Phase: Comparable {
        case open
        /// Calls that only wait are interrupted, others finish.
        case closing
        /// The grace is over.
        case ending
    }
    private struct State {
        var phase = Phase.open
        var nextTicket: Ticket = 0
        var calls: [Ticket: Call] = [:]
    }

    private let limit: Int
    private let state = Mutex(State())
    private let drained = DispatchSemaphore(value: 0)

    init(limit: Int) { self.limit = limit }

    var count: Int { state.withLock(\.calls.count) }

    /// Lets a call in.
    ///
    /// - Parameter connection: does not count as idle meanwhile.
    /// - Throws: RESOURCE_EXHAUSTED above the limit, UNAVAILABLE during a shutdown.
    func enter(
        _ policy: ShutdownPolicy, on connection: ClientConnection?
    ) throws(GRPCStatusError) -> Ticket {
        let (ticket, refusal) = state.withLock { state -> (Ticket, GRPCStatusError?) in
            if state.phase > .open { return (0, .shuttingDown()) }
            if state.calls.count >= limit {
                return (0, GRPCStatusError(.resourceExhausted, "\(limit) calls are open already"))
            }
            state.nextTicket += 1
            state.calls[state.nextTicket] = Call(policy: policy, connection: connection)
            return (state.nextTicket, nil)
        }
        if let refusal { throw refusal }
        connection?.openCalls.add(1, ordering: .relaxed)
        return ticket
    }

    /// Says how to cancel a call, if it is still open.
    func setCancellation(_ ticket: Ticket, _ cancel: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            guard let call = state.calls[ticket] else { return false }
            state.calls[ticket]?.cancel = cancel
            return state.phase.ends(call.policy)
        }
        if isLate { cancel() }
    }

    /// The call's last operation has been started.
    func leave(_ ticket: Ticket) {
        let (call, isLast) = state.withLock { state in
            let call = state.calls.removeValue(forKey: ticket)
            return (call, state.phase > .open && state.calls.isEmpty)
        }
        call?.connection?.openCalls.subtract(1, ordering: .relaxed)
        if isLast { drained.signal() }
    }

    /// Lets no further call in, and interrupts those that would wait for nothing.
    func close() { enter(.closing) }

    /// Cancels the tasks of all calls that are still open: they are answered with UNAVAILABLE.
    func cancelAll() { enter(.ending) }

    private func enter(_ phase: Phase) {
        let (cancellations, isEmpty) = state.withLock { state in
            state.phase = max(state.phase, phase)
            let ended = state.calls.values.filter { state.phase.ends($0.policy) }
            return (ended.compactMap(\.cancel), state.calls.isEmpty)
        }
        for cancel in cancellations { cancel() }
        if isEmpty { drained.signal() }
    }

    /// Waits for the last call to leave after ``close()``. Blocks.
    ///
    /// - Returns: whether it has.
    func waitUntilDrained(within limit: Duration) -> Bool {
        if state.withLock({ $0.calls.isEmpty }) { return true }
        _ = drained.wait(timeout: .now() + .milliseconds(Int(clamping: limit.wholeMilliseconds)))
        return state.withLock { $0.calls.isEmpty }
    }

    /// The status of a call whose handler threw `error`.
    func status(for error: GRPCStatusError) -> GRPCStatusError {
        error.code == .cancelled && state.withLock { $0.phase > .open } ? .shuttingDown() : error
    }
}

extension OpenCalls.Phase {
    fileprivate func ends(_ policy: ShutdownPolicy) -> Bool {
        switch self {
        case .open: false
        case .closing: policy == .interrupt
        case .ending: true
        }
    }
}

extension GRPCStatusError {
    fileprivate static func shuttingDown() -> GRPCStatusError {
        GRPCStatusError(.unavailable, "the server is shutting down")
    }
}
