internal import CGRPC
internal import Synchronization

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
