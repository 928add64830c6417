internal import Synchronization

/// Counts the calls that tasks have borrowed, limits their number, and interrupts those that
/// would hold up a shutdown.
final class OpenCalls: Sendable {
    typealias Ticket = UInt64

    private struct State {
        var count = 0
        var isClosing = false
        var nextTicket: Ticket = 0
        /// Calls that end as soon as a shutdown begins; empty until their task has been started.
        var interruptible: [Ticket: (@Sendable () -> Void)?] = [:]
    }

    private let limit: Int
    private let state = Mutex(State())
    private let drained = Latch()

    init(limit: Int) { self.limit = limit }

    var isClosing: Bool { state.withLock { $0.isClosing } }

    /// Lets a call in.
    ///
    /// - Throws: RESOURCE_EXHAUSTED above the limit, UNAVAILABLE during a shutdown.
    func enter(_ policy: ShutdownPolicy) throws(GRPCStatusError) -> Ticket {
        let (ticket, refusal) = state.withLock { state -> (Ticket, GRPCStatusError?) in
            if state.isClosing { return (0, .shuttingDown()) }
            if state.count >= limit {
                return (0, GRPCStatusError(.resourceExhausted, "\(limit) calls are open already"))
            }
            state.count += 1
            state.nextTicket += 1
            if policy == .interrupt {
                state.interruptible.updateValue(nil, forKey: state.nextTicket)
            }
            return (state.nextTicket, nil)
        }
        if let refusal { throw refusal }
        return ticket
    }

    /// Says how to interrupt a call, if it is still open and may be interrupted.
    func setCancellation(_ ticket: Ticket, _ cancel: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            guard state.interruptible[ticket] != nil else { return false }
            state.interruptible.updateValue(cancel, forKey: ticket)
            return state.isClosing
        }
        if isLate { cancel() }
    }

    /// The call's last operation has been started.
    func leave(_ ticket: Ticket) {
        let isLast = state.withLock { state in
            state.count -= 1
            state.interruptible.removeValue(forKey: ticket)
            return state.isClosing && state.count == 0
        }
        if isLast { drained.open() }
    }

    /// Lets no further call in, and interrupts those that would wait for nothing.
    func close() {
        let (cancellations, isEmpty) = state.withLock { state in
            state.isClosing = true
            return (state.interruptible.values.compactMap { $0 }, state.count == 0)
        }
        for cancel in cancellations { cancel() }
        if isEmpty { drained.open() }
    }

    /// Returns when the last call has left after ``close()``.
    func waitUntilDrained() async { await drained.wait() }

    /// The status of a call whose handler threw `error`.
    func status(for error: GRPCStatusError) -> GRPCStatusError {
        error.code == .cancelled && isClosing ? .shuttingDown() : error
    }
}

extension GRPCStatusError {
    static func shuttingDown() -> GRPCStatusError {
        GRPCStatusError(.unavailable, "the server is shutting down")
    }
}
