internal import CGRPC

/// A method that the C core delivers separately.
///
/// `Sendable`: an opaque key that lives as long as the server.
@safe
struct RegisteredMethod: @unchecked Sendable {
    fileprivate let key: UnsafeMutableRawPointer
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

    /// - Returns: `nil` if the path is registered already.
    func register(_ path: String, readsMessage: Bool) -> RegisteredMethod? {
        let handling =
            readsMessage ? GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER : GRPC_SRM_PAYLOAD_NONE
        guard let key = unsafe grpc_server_register_method(pointer, path, nil, handling, 0)
        else { return nil }
        return unsafe RegisteredMethod(key: key)
    }

    /// - Returns: the port, or 0 if the address cannot be listened on.
    func listen(on address: String) -> Int {
        let credentials = unsafe grpc_insecure_server_credentials_create()
        defer { unsafe grpc_server_credentials_release(credentials) }
        return unsafe Int(grpc_server_add_http2_port(pointer, address, credentials))
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

    /// Stops accepting, waits for the calls in flight, and cancels them after `grace`. Blocks.
    ///
    /// - Parameter queue: A queue for plucking, added before the start.
    func shutdown(grace: Duration, queue: PluckQueue) {
        unsafe grpc_server_shutdown_and_notify(pointer, queue.pointer, nil)
        if queue.pluck(within: grace) { return }
        unsafe grpc_server_cancel_all_calls(pointer)
        _ = queue.pluck(within: nil)
    }

    func add(_ queue: PluckQueue) {
        unsafe grpc_server_register_completion_queue(pointer, queue.pointer, nil)
    }
}
