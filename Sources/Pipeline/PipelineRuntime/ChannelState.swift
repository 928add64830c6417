internal import PipelineCore

/// The decisions of a channel, without waiting: each method answers whom to resume.
struct ChannelState<Element: Sendable>: Sendable {
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
