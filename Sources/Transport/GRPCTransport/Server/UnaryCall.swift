internal import Synchronization

/// A slot for one unary call after the other.
///
/// `Sendable`: owned by its lane's thread, except that a handler's task may call ``finish(_:)``
/// once.
final class UnaryCall: Completion, @unchecked Sendable {
    private enum Phase {
        case awaitingRequest, answering
    }

    let method: Int
    let request = RequestedCall()
    private unowned let lane: ServerLane
    private var phase = Phase.awaitingRequest
    /// Completions still to come before the slot is free again.
    private var outstanding = 1
    /// Whether the close has its own completion; fixed before a task borrows the slot.
    private var isWatched = false
    private var outgoingStatus: OutgoingStatus?
    /// The lane's second in which the answer was sent; 0 while there is none.
    private let answeredAt = Atomic<UInt32>(0)

    init(method: Int, lane: ServerLane) {
        self.method = method
        self.lane = lane
    }

    func prepareForRequest() {
        outstanding = 1
        isWatched = false
        phase = .awaitingRequest
        answeredAt.store(0, ordering: .relaxed)
    }

    /// For how many seconds the answer has waited for the client to take it; on the lane's thread.
    var secondsUnread: UInt32 {
        let second = answeredAt.load(ordering: .relaxed)
        return second == 0 ? 0 : lane.second.load(ordering: .relaxed) - second
    }

    override func complete(succeeded: Bool) {
        switch phase {
        case .awaitingRequest where succeeded: lane.received(self)
        case .awaitingRequest:
            request.releaseCall()
            lane.recycle(self)
        case .answering: completeOne()
        }
    }

    /// Watches for the client's going away while a task works on the answer.
    func watchForClose() -> CloseCompletion {
        let watch = CloseCompletion(request) { [self] in completeOne() }
        isWatched = true
        outstanding += 1
        var batch = OperationBatch()
        unsafe batch.receiveClose(request.cancelledPlace)
        unsafe batch.start(on: request.call, tag: watch)
        return watch
    }

    /// Sends the answer: initial metadata, message, status and, unless it is watched already, the
    /// close in one batch, so that a call answered at once takes one completion.
    func finish(_ answer: Result<[UInt8], GRPCStatusError>) {
        var batch = OperationBatch()
        batch.sendInitialMetadata()
        if !isWatched { unsafe batch.receiveClose(request.cancelledPlace) }
        switch answer {
        case .success(let response):
            batch.sendMessage(ByteBuffer(copying: response))
            batch.sendStatus(nil)
            start(batch)
        case .failure(let error):
            let status = OutgoingStatus(error)
            outgoingStatus = status
            batch.sendStatus(status)
            start(batch)
        }
    }

    private func start(_ batch: borrowing OperationBatch) {
        phase = .answering
        answeredAt.store(lane.second.load(ordering: .relaxed), ordering: .relaxed)
        unsafe batch.start(on: request.call, tag: self)
    }

    private func completeOne() {
        outstanding -= 1
        guard outstanding == 0 else { return }
        // A free slot has no call, and nothing that waits to be read.
        answeredAt.store(0, ordering: .relaxed)
        outgoingStatus = nil
        request.releaseCall()
        lane.ended(self)
    }
}
