internal import CGRPC
internal import Synchronization

/// What a completion queue gives back: the tag of an operation is the object that waits for it.
///
/// The queue holds a reference from the start of the operation to its completion. `Sendable`
/// because what the starter wrote before the start is passed on to the queue's thread, and nobody
/// else touches it meanwhile; subclasses say where they differ.
class Completion: @unchecked Sendable {
    /// Written at the start, read at the completion: the C core's queue orders them already, but
    /// in code that neither the memory model nor the thread sanitizer sees.
    private let handOver = Atomic(false)

    /// The operation has ended. Called on the queue's thread, exactly once for each start.
    func complete(succeeded: Bool) { preconditionFailure("each operation says what its end means") }

    /// The tag of one operation, which owns a reference until ``CompletionQueue/drain()``.
    final func retainedTag() -> UnsafeMutableRawPointer {
        handOver.store(true, ordering: .releasing)
        return unsafe Unmanaged.passRetained(self).toOpaque()
    }

    /// The completion whose tag came out of the queue.
    fileprivate static func take(_ tag: UnsafeMutableRawPointer) -> Completion {
        let completion = unsafe Unmanaged<Completion>.fromOpaque(tag).takeRetainedValue()
        _ = completion.handOver.load(ordering: .acquiring)
        return completion
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
    ///
    /// - Parameter look: called about once a second.
    func drain(everySecond look: () -> Void) {
        // A busy queue's deadline is met late: the clock is read only when there is nothing to do,
        // or now and then.
        let eventsBetweenLooks = 4_096
        var deadline = gpr_timespec(after: .seconds(1))
        var events = 0
        while true {
            let event = unsafe grpc_completion_queue_next(pointer, deadline, nil)
            if unsafe event.type == GRPC_OP_COMPLETE {
                let completion = unsafe Completion.take(event.tag)
                unsafe completion.complete(succeeded: event.success != 0)
                events += 1
                guard events >= eventsBetweenLooks else { continue }
                events = 0
                if let left = deadline.remaining, left > .zero { continue }
            } else if unsafe event.type == GRPC_QUEUE_SHUTDOWN {
                return
            }
            look()
            deadline = gpr_timespec(after: .seconds(1))
        }
    }

    /// Completes operations on the calling thread until the queue has been shut down and is empty.
    func drain() {
        let forever = gpr_inf_future(GPR_CLOCK_MONOTONIC)
        while true {
            let event = unsafe grpc_completion_queue_next(pointer, forever, nil)
            if unsafe event.type == GRPC_QUEUE_SHUTDOWN { return }
            let completion = unsafe Completion.take(event.tag)
            unsafe completion.complete(succeeded: event.success != 0)
        }
    }

    /// Lets ``drain()`` return after the last operation. None may be started afterwards.
    func shutdown() { unsafe grpc_completion_queue_shutdown(pointer) }
}

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

/// Tells a waiting task whether its operation succeeded.
///
/// `Sendable`: never changed after it was made.
final class SendCompletion: Completion, @unchecked Sendable {
    private let continuation: CheckedContinuation<Bool, Never>

    init(_ continuation: CheckedContinuation<Bool, Never>) { self.continuation = continuation }

    override func complete(succeeded: Bool) { continuation.resume(returning: succeeded) }
}

/// Keeps what a batch points to alive until its completion, which nobody waits for.
///
/// `Sendable`: never changed after it was made.
final class FinalCompletion: Completion, @unchecked Sendable {
    private let kept: [AnyObject?]

    init(keeping kept: AnyObject?...) { self.kept = kept }

    override func complete(succeeded: Bool) {}
}
