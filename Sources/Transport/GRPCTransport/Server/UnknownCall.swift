/// Answers calls of methods that nobody has registered.
///
/// `Sendable`: used on its lane's thread only.
final class UnknownCall: Completion, @unchecked Sendable {
    private let request = RequestedCall()
    private let lane: ServerLane
    private var outgoingStatus: OutgoingStatus?

    init(lane: ServerLane) { self.lane = lane }

    func start() {
        _ = lane.handle.requestCall(
            of: nil, readsMessage: false, into: request, on: lane.queue, tag: self)
    }

    override func complete(succeeded: Bool) {
        if outgoingStatus != nil || !succeeded { return }
        UnknownCall(lane: lane).start()
        let status = OutgoingStatus(
            GRPCStatusError(.unimplemented, "there is no method \(request.path)"))
        outgoingStatus = status
        var batch = OperationBatch()
        batch.sendInitialMetadata()
        batch.sendStatus(status)
        unsafe batch.receiveClose(request.cancelledPlace)
        unsafe batch.start(on: request.call, tag: self)
    }
}
