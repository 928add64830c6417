internal import CGRPC

/// A completion queue for a thread that waits for one event at a time.
///
/// `Sendable`: the pointer never changes, and the C core's queue may be used from any thread.
@safe
final class PluckQueue: @unchecked Sendable {
    /// For the C core's functions; not to be kept.
    let pointer: OpaquePointer

    init() {
        Library.start()
        unsafe pointer = grpc_completion_queue_create_for_pluck(nil)
    }

    deinit {
        unsafe grpc_completion_queue_shutdown(pointer)
        unsafe grpc_completion_queue_destroy(pointer)
    }

    /// Blocks until the event with the tag `nil` comes.
    ///
    /// - Returns: whether it came in time; `nil` waits for ever.
    func pluck(within limit: Duration?) -> Bool {
        let event = unsafe grpc_completion_queue_pluck(
            pointer, nil, gpr_timespec(after: limit), nil)
        return unsafe event.type == GRPC_OP_COMPLETE
    }
}
