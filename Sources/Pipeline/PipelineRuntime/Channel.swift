internal import Concurrency
internal import PipelineCore
internal import Synchronization

struct ChannelClosed: Error {}

/// A bounded hand-off: `send` suspends while `capacity` elements wait; many senders, many
/// receivers.
///
/// A cancelled `send` has not sent, a `receive` that returned an element has taken it. Each
/// decision is made twice, the second time under the lock that registers the waiter, so that no
/// wake-up is lost in between.
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

/// The decisions of a channel, without waiting: each method answers whom to resume.
private struct ChannelState<Element: Sendable>: Sendable {
    enum SendStep {
        case sent
        case deliver(Resumption<Element?>)
        case closed, wait
    }
    enum ReceiveStep {
        case element(Element, Resumption<Void>?)
        case finished, wait
    }

    private struct Sender {
        let id: UInt64
        let element: Element
        let resumption: Resumption<Void>
    }
    private struct Receiver {
        let id: UInt64
        let resumption: Resumption<Element?>
    }

    private let capacity: Int
    private var buffer = Ring<Element>()
    private var senders: [Sender] = []
    private var receivers: [Receiver] = []
    private var isFinished = false
    private var lastID: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    mutating func takeID() -> UInt64 {
        lastID += 1
        return lastID
    }

    mutating func trySend(_ element: Element) -> SendStep {
        if isFinished { return .closed }
        if !receivers.isEmpty { return .deliver(receivers.removeFirst().resumption) }
        if buffer.count < capacity {
            buffer.append(element)
            return .sent
        }
        return .wait
    }

    mutating func tryReceive() -> ReceiveStep {
        guard let element = buffer.popFirst() else { return isFinished ? .finished : .wait }
        guard !senders.isEmpty else { return .element(element, nil) }
        let sender = senders.removeFirst()
        buffer.append(sender.element)
        return .element(element, sender.resumption)
    }

    mutating func addSender(_ id: UInt64, _ element: Element, _ resumption: Resumption<Void>) {
        senders.append(Sender(id: id, element: element, resumption: resumption))
    }
    mutating func addReceiver(_ id: UInt64, _ resumption: Resumption<Element?>) {
        receivers.append(Receiver(id: id, resumption: resumption))
    }
    mutating func removeSender(_ id: UInt64) -> Resumption<Void>? {
        senders.firstIndex { $0.id == id }.map { senders.remove(at: $0).resumption }
    }
    mutating func removeReceiver(_ id: UInt64) -> Resumption<Element?>? {
        receivers.firstIndex { $0.id == id }.map { receivers.remove(at: $0).resumption }
    }

    mutating func finish() -> ([Resumption<Void>], [Resumption<Element?>]) {
        isFinished = true
        defer {
            senders = []
            receivers = []
        }
        return (senders.map(\.resumption), receivers.map(\.resumption))
    }
}

/// A queue over a circular array whose size is a power of two.
private struct Ring<Element: Sendable>: Sendable {
    private var slots: [Element?] = Array(repeating: nil, count: 8)
    private var head = 0
    private(set) var count = 0

    mutating func append(_ element: Element) {
        if count == slots.count {
            slots =
                (0..<count).map { slots[(head + $0) & (slots.count - 1)] }
                + Array(repeating: nil, count: count)
            head = 0
        }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        if count == 0 { return nil }
        defer {
            slots[head] = nil
            head = (head + 1) & (slots.count - 1)
            count -= 1
        }
        return slots[head]
    }
}
