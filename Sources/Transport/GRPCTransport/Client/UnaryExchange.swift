internal import CGRPC
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
        if let error = status.error { return .failure(error) }
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
