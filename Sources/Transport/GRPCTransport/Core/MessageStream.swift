internal import CGRPC
internal import Synchronization

/// The messages of one streaming call, the same at both sides.
final class MessageStream: Sendable {
    private struct State {
        /// The server's initial metadata are still to be sent, with whatever is sent first.
        var owesInitialMetadata: Bool
        /// Nothing more may be started.
        var isEnded = false
        var isReceiving = false
    }

    let call: CallHandle
    private let state: Mutex<State>

    init(_ call: CallHandle, sendsInitialMetadata: Bool) {
        self.call = call
        state = Mutex(State(owesInitialMetadata: sendsInitialMetadata))
    }

    /// Starts operations whose completion `tag` waits for.
    func start(tag: Completion, _ build: (inout OperationBatch) -> Void) {
        state.withLock { _ in
            var batch = OperationBatch()
            build(&batch)
            unsafe batch.start(on: call.pointer, tag: tag)
        }
    }

    /// - Returns: `false` if the call is over.
    func send(_ message: [UInt8]) async -> Bool {
        await perform { $0.sendMessage(ByteBuffer(copying: message)) }
    }

    /// Says that this client sends nothing more.
    ///
    /// - Returns: `false` if the call is over.
    func finishSending() async -> Bool { await perform { $0.sendCloseFromClient() } }

    /// - Returns: `nil` after the last message, or when the call is over.
    /// - Throws: CANCELLED if the task is cancelled, or was during the reception before.
    func receive() async throws(GRPCStatusError) -> [UInt8]? {
        let reception = Reception()
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard reception.wait(continuation) else { return }
                let end = state.withLock { state -> Reception.Outcome? in
                    if state.isEnded { return .end }
                    if state.isReceiving { return .abandoned }
                    state.isReceiving = true
                    var batch = OperationBatch()
                    unsafe batch.receiveMessage(reception.place)
                    unsafe batch.start(on: call.pointer, tag: reception)
                    return nil
                }
                if let end { reception.resume(end) }
            }
        } onCancel: {
            reception.resume(.abandoned)
        }
        switch outcome {
        case .abandoned: throw .cancelled()
        case .end: return nil
        case .message(let message):
            state.withLock { $0.isReceiving = false }
            return message
        }
    }

    /// Sends the server's status, the last of its operations.
    func finish(_ status: OutgoingStatus?) {
        state.withLock { state in
            if state.isEnded { return }
            state.isEnded = true
            var batch = OperationBatch()
            if state.owesInitialMetadata { batch.sendInitialMetadata() }
            batch.sendStatus(status)
            unsafe batch.start(on: call.pointer, tag: FinalCompletion(keeping: status, call))
        }
    }

    /// Refuses everything from now on; what has been started will complete.
    func end() { state.withLock { $0.isEnded = true } }

    private func perform(_ build: (inout OperationBatch) -> Void) async -> Bool {
        await withCheckedContinuation { continuation in
            let isStarted = state.withLock { state in
                if state.isEnded { return false }
                var batch = OperationBatch()
                if state.owesInitialMetadata { batch.sendInitialMetadata() }
                state.owesInitialMetadata = false
                build(&batch)
                unsafe batch.start(on: call.pointer, tag: SendCompletion(continuation))
                return true
            }
            if !isStarted { continuation.resume(returning: false) }
        }
    }
}
