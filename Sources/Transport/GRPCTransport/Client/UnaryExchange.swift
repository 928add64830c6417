internal import CGRPC
internal import Concurrency
internal import Synchronization

/// One unary call of a client: everything in one batch, and one completion.
///
/// `Sendable`: the C core writes before the completion, which is the only reader.
@safe
final class UnaryExchange: Completion, @unchecked Sendable {
    @unsafe
    private struct Memory {
        var metadata = unsafe grpc_metadata_array()
        var message: UnsafeMutablePointer<grpc_byte_buffer>? = nil
    }

    private let memory: UnsafeMutablePointer<Memory>
    private let status = ReceivedStatus()
    private let call: CallHandle
    private let metadata: MetadataBuffer
    private let onEnd: @Sendable (Result<[UInt8], GRPCStatusError>) -> Void

    init(
        _ call: CallHandle, _ metadata: MetadataBuffer,
        onEnd: @escaping @Sendable (Result<[UInt8], GRPCStatusError>) -> Void
    ) {
        unsafe memory = .allocate(capacity: 1)
        unsafe memory.initialize(to: Memory())
        unsafe grpc_metadata_array_init(&memory.pointee.metadata)
        self.call = call
        self.metadata = metadata
        self.onEnd = onEnd
    }

    deinit {
        if let message = unsafe memory.pointee.message { unsafe grpc_byte_buffer_destroy(message) }
        unsafe grpc_metadata_array_destroy(&memory.pointee.metadata)
        unsafe memory.deallocate()
    }

    func start(_ request: [UInt8], waitForReady: Bool) {
        var batch = OperationBatch()
        batch.sendInitialMetadata(metadata, waitForReady: waitForReady)
        batch.sendMessage(ByteBuffer(copying: request))
        batch.sendCloseFromClient()
        unsafe withUnsafeMutablePointer(to: &memory.pointee.metadata) {
            unsafe batch.receiveInitialMetadata($0)
        }
        unsafe withUnsafeMutablePointer(to: &memory.pointee.message) {
            unsafe batch.receiveMessage($0)
        }
        unsafe batch.receiveStatus(status.memory)
        unsafe batch.start(on: call.pointer, tag: self)
    }

    override func complete(succeeded: Bool) { onEnd(outcome()) }

    private func outcome() -> Result<[UInt8], GRPCStatusError> {
        if let error = status.error(of: call) { return .failure(error) }
        guard let message = unsafe memory.pointee.message,
            let bytes = unsafe ByteBuffer.withBytes(of: message, { Array(copying: $0) })
        else {
            return .failure(GRPCStatusError(.internal, "the reply carries no readable message"))
        }
        return .success(bytes)
    }
}

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
/// `Sendable`: the status is written by the C core before the call is told to have ended, and read
/// after that.
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
        return status.error(of: call)
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
