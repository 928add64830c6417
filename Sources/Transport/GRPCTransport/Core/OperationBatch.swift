internal import CGRPC
internal import Synchronization

/// Operations on one call that start together and complete together.
///
/// What a batch points to must stay alive and in place until its completion.
/// See <https://grpc.github.io/grpc/core/structgrpc__op.html>.
@safe
struct OperationBatch: ~Copyable {
    private var operations = unsafe InlineArray<6, grpc_op>(repeating: grpc_op())
    private var count = 0
    private var message: ByteBuffer?

    private mutating func append(_ operation: grpc_op) {
        unsafe operations[count] = operation
        count += 1
    }

    private static func operation(_ type: grpc_op_type) -> grpc_op {
        var operation = unsafe grpc_op()
        unsafe operation.op = type
        return unsafe operation
    }

    mutating func sendInitialMetadata(
        _ metadata: MetadataBuffer? = nil, waitForReady: Bool = false
    ) {
        var operation = unsafe Self.operation(GRPC_OP_SEND_INITIAL_METADATA)
        if waitForReady {
            unsafe operation.flags =
                GRPC_INITIAL_METADATA_WAIT_FOR_READY
                | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET
        }
        if let metadata {
            unsafe operation.data.send_initial_metadata.count = metadata.count
            unsafe operation.data.send_initial_metadata.metadata = metadata.pointer
        }
        unsafe append(operation)
    }

    /// The batch keeps the message until it has started: the C core has references of its own to
    /// the message's bytes then.
    mutating func sendMessage(_ message: consuming ByteBuffer) {
        var operation = unsafe Self.operation(GRPC_OP_SEND_MESSAGE)
        unsafe operation.data.send_message.send_message = message.pointer
        unsafe append(operation)
        self.message = consume message
    }

    mutating func sendCloseFromClient() {
        unsafe append(Self.operation(GRPC_OP_SEND_CLOSE_FROM_CLIENT))
    }

    /// `nil` is OK.
    mutating func sendStatus(_ status: OutgoingStatus?) {
        var operation = unsafe Self.operation(GRPC_OP_SEND_STATUS_FROM_SERVER)
        if let status {
            unsafe operation.data.send_status_from_server.status = status.code
            unsafe operation.data.send_status_from_server.status_details = status.message
            if let trailers = status.trailers {
                unsafe operation.data.send_status_from_server.trailing_metadata_count =
                    trailers.count
                unsafe operation.data.send_status_from_server.trailing_metadata =
                    trailers.pointer
            }
        }
        unsafe append(operation)
    }

    mutating func receiveInitialMetadata(_ place: UnsafeMutablePointer<grpc_metadata_array>) {
        var operation = unsafe Self.operation(GRPC_OP_RECV_INITIAL_METADATA)
        unsafe operation.data.recv_initial_metadata.recv_initial_metadata = place
        unsafe append(operation)
    }

    mutating func receiveMessage(
        _ place: UnsafeMutablePointer<UnsafeMutablePointer<grpc_byte_buffer>?>
    ) {
        var operation = unsafe Self.operation(GRPC_OP_RECV_MESSAGE)
        unsafe operation.data.recv_message.recv_message = place
        unsafe append(operation)
    }

    mutating func receiveStatus(_ place: UnsafeMutablePointer<ReceivedStatus.Memory>) {
        var operation = unsafe Self.operation(GRPC_OP_RECV_STATUS_ON_CLIENT)
        unsafe withUnsafeMutablePointer(to: &place.pointee.trailers) {
            unsafe operation.data.recv_status_on_client.trailing_metadata = $0
        }
        unsafe withUnsafeMutablePointer(to: &place.pointee.code) {
            unsafe operation.data.recv_status_on_client.status = $0
        }
        unsafe withUnsafeMutablePointer(to: &place.pointee.message) {
            unsafe operation.data.recv_status_on_client.status_details = $0
        }
        unsafe append(operation)
    }

    /// The C core writes 1 if the call ended before the server's status was sent, else 0.
    mutating func receiveClose(_ cancelled: UnsafeMutablePointer<Int32>) {
        var operation = unsafe Self.operation(GRPC_OP_RECV_CLOSE_ON_SERVER)
        unsafe operation.data.recv_close_on_server.cancelled = cancelled
        unsafe append(operation)
    }

    /// Starts the batch, whose tag is kept alive until its completion.
    ///
    /// The C core refuses a batch only for a programmer's error, such as two sends or two
    /// receptions at once. For anything on a queue that has been shut down it ends the process:
    /// ``ClientCalls`` and ``ServerShard`` shut their queues down when nothing can be started any
    /// more.
    borrowing func start(on call: OpaquePointer, tag: Completion) {
        let outcome = unsafe operations.span.withUnsafeBufferPointer { operations in
            unsafe grpc_call_start_batch(
                call, operations.baseAddress, count, tag.retainedTag(), nil)
        }
        precondition(outcome == GRPC_CALL_OK, "the C core refused a batch: \(outcome.rawValue)")
    }
}

/// One reference to a call of the C core.
///
/// `Sendable`: the pointer never changes; batches are started under the owner's rules, cancelling
/// is allowed from any thread.
@safe
final class CallHandle: @unchecked Sendable {
    /// For the C core's functions; not to be kept.
    let pointer: OpaquePointer
    private let isCancelled = Atomic(false)

    /// Takes over a reference.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe grpc_call_unref(pointer) }

    /// Ends the call at this side and tells the other side that it does.
    func cancel() {
        isCancelled.store(true, ordering: .relaxed)
        _ = unsafe grpc_call_cancel(pointer, nil)
    }

    /// Whether this side has ended the call.
    var wasCancelled: Bool { isCancelled.load(ordering: .relaxed) }

    /// The other side's name: for a server's connection the descriptor that it was handed over
    /// with, as `fd:17`.
    static func peer(of call: OpaquePointer) -> String {
        guard let text = unsafe grpc_call_get_peer(call) else { return "" }
        defer { unsafe gpr_free(text) }
        return unsafe String(cString: text)
    }
}

/// The reception of one message of a stream.
///
/// `Sendable`: the place is written by the C core and read in ``complete(succeeded:)``; the waiter
/// is behind a lock.
@safe
final class Reception: Completion, @unchecked Sendable {
    enum Outcome {
        case message([UInt8])
        /// There are no more messages, or the call is over.
        case end
        /// The waiting task gave up; what arrives is dropped.
        case abandoned
    }

    private enum Waiter {
        case none
        case waiting(CheckedContinuation<Outcome, Never>)
        case gone
    }

    /// Where the C core puts the message.
    let place: UnsafeMutablePointer<UnsafeMutablePointer<grpc_byte_buffer>?>
    private let waiter = Mutex(Waiter.none)

    override init() {
        unsafe place = .allocate(capacity: 1)
        unsafe place.initialize(to: nil)
    }

    deinit { unsafe place.deallocate() }

    /// - Returns: `false` if the reception was abandoned before; the continuation is resumed then.
    func wait(_ continuation: CheckedContinuation<Outcome, Never>) -> Bool {
        let isAbandoned = waiter.withLock { waiter in
            if case .gone = waiter { return true }
            waiter = .waiting(continuation)
            return false
        }
        if isAbandoned { continuation.resume(returning: .abandoned) }
        return !isAbandoned
    }

    override func complete(succeeded: Bool) {
        guard let pointer = unsafe place.pointee else { return resume(.end) }
        let message = unsafe ByteBuffer(owning: pointer)
        let bytes = message.withBytes { Array(copying: $0) }
        resume(bytes.map { .message($0) } ?? .end)
    }

    /// Lets the waiting task go on; only the first outcome counts.
    func resume(_ outcome: Outcome) {
        let continuation = waiter.withLock { waiter -> CheckedContinuation<Outcome, Never>? in
            defer { waiter = .gone }
            guard case .waiting(let continuation) = waiter else { return nil }
            return continuation
        }
        continuation?.resume(returning: outcome)
    }
}
