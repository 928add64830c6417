internal import PipelineCore
internal import Synchronization

struct ChannelClosed: Error {}

/// A bounded hand-off: `send` suspends while `capacity` elements wait; many senders, many receivers.
///
/// A cancelled `send` has not sent, a `receive` that returned an element has taken it. Each decision is made
/// twice, the second time under the lock that registers the waiter, so that no wake-up is lost in between.
final class Channel<Element: Sendable>: Sendable {
    private let state: Mutex<ChannelState<Element>>

    init(capacity: Int) {
        precondition(capacity > 0)
        state = Mutex(ChannelState(capacity: capacity))
    }

    /// Hands over an element, waiting for room.
    /// - Throws: `CancellationError`; `ChannelClosed` after `finish()`.
    func send(_ element: Element) async throws {
        try Task.checkCancellation()
        let (step, id) = state.withLock { ($0.trySend(element), $0.takeID()) }
        switch step {
        case .sent: return
        case .deliver(let receiver): return receiver.resume(returning: element)
        case .closed: throw ChannelClosed()
        case .wait: break
        }
        try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Void>) in
                let step: ChannelState<Element>.SendStep? = state.withLock { state in
                    if Task.isCancelled { return nil }
                    let again = state.trySend(element)
                    if case .wait = again { state.addSender(id, element, resumption) }
                    return again
                }
                switch step {
                case nil: resumption.resume(throwing: CancellationError())
                case .wait: break
                case .sent: resumption.resume(returning: ())
                case .deliver(let receiver):
                    receiver.resume(returning: element)
                    resumption.resume(returning: ())
                case .closed: resumption.resume(throwing: ChannelClosed())
                }
            }
        } onCancel: {
            state.withLock { $0.removeSender(id) }?.resume(throwing: CancellationError())
        }
    }

    /// The next element, or nil after `finish()` once everything has been taken.
    /// - Throws: `CancellationError`.
    func receive() async throws -> Element? {
        try Task.checkCancellation()
        let (step, id) = state.withLock { ($0.tryReceive(), $0.takeID()) }
        switch step {
        case .element(let element, let sender):
            sender?.resume(returning: ())
            return element
        case .finished: return nil
        case .wait: break
        }
        return try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<Element?>) in
                let step: ChannelState<Element>.ReceiveStep? = state.withLock { state in
                    if Task.isCancelled { return nil }
                    let again = state.tryReceive()
                    if case .wait = again { state.addReceiver(id, resumption) }
                    return again
                }
                switch step {
                case nil: resumption.resume(throwing: CancellationError())
                case .wait: break
                case .element(let element, let sender):
                    sender?.resume(returning: ())
                    resumption.resume(returning: element)
                case .finished: resumption.resume(returning: nil)
                }
            }
        } onCancel: {
            state.withLock { $0.removeReceiver(id) }?.resume(throwing: CancellationError())
        }
    }

    /// The next element, if one is there. Does not wait.
    func poll() -> Element? {
        guard case .element(let element, let sender) = state.withLock({ $0.tryReceive() }) else {
            return nil
        }
        sender?.resume(returning: ())
        return element
    }

    /// No more elements: waiting senders fail, receivers drain what is left.
    func finish() {
        let (senders, receivers) = state.withLock { $0.finish() }
        for sender in senders { sender.resume(throwing: ChannelClosed()) }
        for receiver in receivers { receiver.resume(returning: nil) }
    }
}
