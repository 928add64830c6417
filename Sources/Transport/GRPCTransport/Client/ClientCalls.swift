internal import Synchronization

/// A client's channel, its completion queue, and the calls in flight on them.
///
/// The queue is shut down when the client has closed and the last call has ended, since an
/// operation must not be started on a queue that has been shut down.
final class ClientCalls: Sendable {
    typealias Ticket = UInt64

    private struct State {
        var isClosed = false
        var nextTicket: Ticket = 0
        var open: [Ticket: CallHandle] = [:]
    }

    let queue = CompletionQueue()
    private let channel: ChannelHandle
    private let state = Mutex(State())

    init(_ channel: ChannelHandle) { self.channel = channel }

    /// - Throws: UNAVAILABLE after ``close()``.
    func begin(
        _ path: String, timeout: Duration?
    ) throws(GRPCStatusError) -> (Ticket, CallHandle) {
        let begun = state.withLock { state -> (Ticket, CallHandle)? in
            if state.isClosed { return nil }
            let call = channel.makeCall(path, timeout: timeout, on: queue)
            state.nextTicket += 1
            state.open[state.nextTicket] = call
            return (state.nextTicket, call)
        }
        guard let begun else {
            throw GRPCStatusError(.unavailable, "this client has been shut down")
        }
        return begun
    }

    /// The call will start no more operations.
    func end(_ ticket: Ticket) {
        let isLast = state.withLock { state in
            state.open.removeValue(forKey: ticket)
            return state.isClosed && state.open.isEmpty
        }
        if isLast { queue.shutdown() }
    }

    /// Lets no further call begin and cancels those in flight.
    func close() {
        let (calls, isEmpty) = state.withLock { state -> ([CallHandle], Bool) in
            if state.isClosed { return ([], false) }
            state.isClosed = true
            return (Array(state.open.values), state.open.isEmpty)
        }
        for call in calls { call.cancel() }
        if isEmpty { queue.shutdown() }
    }
}
