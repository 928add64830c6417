internal import CGRPC

/// What a completion queue gives back: the tag of an operation is the object that waits for it.
///
/// The queue holds a reference from the start of the operation to its completion. `Sendable`
/// because every subclass says how its state passes from the starter to the queue's thread.
class Completion: @unchecked Sendable {
    /// The operation has ended. Called on the queue's thread, exactly once for each start.
    func complete(succeeded: Bool) { fatalError("abstract") }

    /// The tag of one operation, which owns a reference until ``CompletionQueue/drain()``.
    final func retainedTag() -> UnsafeMutableRawPointer {
        unsafe Unmanaged.passRetained(self).toOpaque()
    }

    /// Gives back the reference of a tag that was never queued.
    final func releaseTag() {
        unsafe Unmanaged.passUnretained(self).release()
    }
}

/// A queue of completed operations, and the place where the C core does its input and output:
/// whoever drains it also drives the sockets.
///
/// `Sendable`: the pointer never changes, and the C core's queue may be used from any thread.
@safe
final class CompletionQueue: @unchecked Sendable {
    /// For the C core's functions; not to be kept.
    let pointer: OpaquePointer

    init() {
        Library.start()
        unsafe pointer = grpc_completion_queue_create_for_next(nil)
    }

    deinit { unsafe grpc_completion_queue_destroy(pointer) }

    /// Completes operations on the calling thread until the queue has been shut down and is empty.
    func drain() {
        let forever = gpr_inf_future(GPR_CLOCK_MONOTONIC)
        while true {
            let event = unsafe grpc_completion_queue_next(pointer, forever, nil)
            if unsafe event.type == GRPC_QUEUE_SHUTDOWN { return }
            let completion = unsafe Unmanaged<Completion>.fromOpaque(event.tag).takeRetainedValue()
            unsafe completion.complete(succeeded: event.success != 0)
        }
    }

    /// Lets ``drain()`` return after the last operation. None may be started afterwards.
    func shutdown() { unsafe grpc_completion_queue_shutdown(pointer) }
}
