internal import CGRPC

/// A method that the C core delivers separately.
///
/// `Sendable`: an opaque key that lives as long as the server.
@safe
struct RegisteredMethod: @unchecked Sendable {
    fileprivate let key: UnsafeMutableRawPointer
    let path: String
}

/// The C core's server.
///
/// `Sendable`: the pointer never changes, and the C core's server may be used from any thread.
@safe
final class ServerHandle: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ arguments: borrowing ChannelArguments) {
        Library.start()
        unsafe pointer = arguments.withPointer { unsafe grpc_server_create($0, nil) }
    }

    deinit { unsafe grpc_server_destroy(pointer) }

    /// Registers a path, once.
    func register(_ path: String, readsMessage: Bool) -> RegisteredMethod {
        let handling =
            readsMessage ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE
        guard let key = unsafe grpc_server_register_method(pointer, path, nil, handling, 0)
        else { preconditionFailure("the method \(path) was added twice") }
        return unsafe RegisteredMethod(key: key, path: path)
    }

    /// Serves a connection that was accepted. The C core owns its descriptor from now on.
    func add(connection descriptor: Int32) {
        let credentials = unsafe grpc_insecure_server_credentials_create()
        defer { unsafe grpc_server_credentials_release(credentials) }
        unsafe grpc_server_add_channel_from_fd(pointer, descriptor, credentials)
    }

    func add(_ queue: CompletionQueue) {
        unsafe grpc_server_register_completion_queue(pointer, queue.pointer, nil)
    }

    func start() { unsafe grpc_server_start(pointer) }

    /// Asks for the next call of a method, or of none that is registered.
    ///
    /// - Returns: whether a completion will follow; none does once the queue has been shut down.
    func requestCall(
        of method: RegisteredMethod?, readsMessage: Bool, into place: RequestedCall,
        on queue: CompletionQueue, tag: Completion
    ) -> Bool {
        let memory = unsafe place.memory
        let reference = unsafe tag.retainedTag()
        let outcome: grpc_call_error
        if let method {
            let message = unsafe withUnsafeMutablePointer(to: &memory.pointee.message) {
                unsafe readsMessage ? $0 : nil
            }
            outcome = unsafe grpc_server_request_registered_call(
                pointer, method.key, &memory.pointee.call, &memory.pointee.deadline,
                &memory.pointee.metadata, message, queue.pointer, queue.pointer, reference)
        } else {
            outcome = unsafe grpc_server_request_call(
                pointer, &memory.pointee.call, &memory.pointee.details,
                &memory.pointee.metadata, queue.pointer, queue.pointer, reference)
        }
        if outcome == GRPC_CALL_OK { return true }
        precondition(
            outcome == GRPC_CALL_ERROR_COMPLETION_QUEUE_SHUTDOWN,
            "the C core refused a request for calls: \(outcome.rawValue)")
        tag.releaseTag()
        return false
    }

    /// Takes no more calls. The queue has an event more once every connection is closed.
    func beginShutdown(_ queue: PluckQueue) {
        unsafe grpc_server_shutdown_and_notify(pointer, queue.pointer, nil)
    }

    /// Has an event come out of a queue that the server works with, once every connection is
    /// closed: at once, after ``beginShutdown(_:)`` has come to its end.
    func announceEnd(on queue: CompletionQueue, tag: Completion) {
        unsafe grpc_server_shutdown_and_notify(pointer, queue.pointer, tag.retainedTag())
    }

    /// Ends the calls in flight, and their connections.
    func cancelAllCalls() { unsafe grpc_server_cancel_all_calls(pointer) }
}

/// Completes when a call is over, and cancels its task if that was not the server's doing.
///
/// `Sendable`: used on the queue's thread only, which also sets ``cancelTask``.
final class CloseCompletion: Completion, @unchecked Sendable {
    /// Cancels the handler's task.
    var cancelTask: (@Sendable () -> Void)?
    private let request: RequestedCall
    private let onClose: () -> Void

    init(_ request: RequestedCall, onClose: @escaping () -> Void) {
        self.request = request
        self.onClose = onClose
    }

    override func complete(succeeded: Bool) {
        if request.wasCancelled { cancelTask?() }
        cancelTask = nil
        onClose()
    }
}
