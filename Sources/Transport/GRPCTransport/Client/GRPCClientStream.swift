internal import Concurrency
internal import CGRPC

/// One streaming call of a client. Letting it go cancels it.
public final class GRPCClientStream: Sendable {
    private let messages: MessageStream
    private let ending: StreamEnding

    init(
        _ call: CallHandle, _ metadata: MetadataBuffer, waitForReady: Bool,
        onEnd: @escaping @Sendable () -> Void
    ) {
        let messages = MessageStream(call, sendsInitialMetadata: false)
        self.messages = messages
        ending = StreamEnding(call) {
            messages.end()
            onEnd()
        }
        messages.start(tag: FinalCompletion(keeping: metadata)) {
            $0.sendInitialMetadata(metadata, waitForReady: waitForReady)
        }
        let opening = StreamOpening()
        messages.start(tag: opening) { unsafe $0.receiveInitialMetadata(opening.place) }
        messages.start(tag: ending) { unsafe $0.receiveStatus(ending.status.memory) }
    }

    deinit { messages.call.cancel() }

    /// Sends a message and waits until flow control has taken it. One message at a time.
    ///
    /// - Throws: The status of the call if it is over.
    public func send(_ message: [UInt8]) async throws(GRPCStatusError) {
        if await !messages.send(message) { throw await failure() }
    }

    /// Says that no more messages will be sent.
    ///
    /// - Throws: The status of the call if it has failed. One that has ended with OK meanwhile has
    ///   not.
    public func finishSending() async throws(GRPCStatusError) {
        if await messages.finishSending() { return }
        if let error = await ending.wait() { throw error }
    }

    /// Waits for the server's next message. One reception at a time. Cancelling the task cancels
    /// the call.
    ///
    /// - Returns: The message, or `nil` when the call has ended with OK.
    /// - Throws: The status with which the call ended, if that was not OK.
    public func receive() async throws(GRPCStatusError) -> [UInt8]? {
        let message: [UInt8]?
        do {
            message = try await withTaskCancellationHandler { () throws(GRPCStatusError) in
                try await messages.receive()
            } onCancel: {
                messages.call.cancel()
            }
        } catch {
            throw await failure()
        }
        if let message { return message }
        if let error = await ending.wait() { throw error }
        return nil
    }

    private func failure() async -> GRPCStatusError {
        await ending.wait() ?? GRPCStatusError(.cancelled, "the call has ended already")
    }
}

/// Waits for the status of a streaming call.
///
/// `Sendable`: the status is written by the C core before the latch opens, and read after.
private final class StreamEnding: Completion, @unchecked Sendable {
    let status = ReceivedStatus()
    private let call: CallHandle
    private let onEnd: @Sendable () -> Void
    private let isOver = AsyncEvent()

    init(_ call: CallHandle, onEnd: @escaping @Sendable () -> Void) {
        self.call = call
        self.onEnd = onEnd
    }

    override func complete(succeeded: Bool) {
        onEnd()
        isOver.set()
    }

    /// - Returns: how the call failed; `nil` is OK.
    func wait() async -> GRPCStatusError? {
        await isOver.waitIgnoringCancellation()
        return status.error
    }
}

/// Takes the initial metadata of a streaming call, in which nobody is interested.
///
/// `Sendable`: the place is touched by the C core only.
@safe
private final class StreamOpening: Completion, @unchecked Sendable {
    let place: UnsafeMutablePointer<grpc_metadata_array>

    override init() {
        unsafe place = .allocate(capacity: 1)
        unsafe place.initialize(to: grpc_metadata_array())
        unsafe grpc_metadata_array_init(place)
    }

    deinit {
        unsafe grpc_metadata_array_destroy(place)
        unsafe place.deallocate()
    }

    override func complete(succeeded: Bool) {}
}
