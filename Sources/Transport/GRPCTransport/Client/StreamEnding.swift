internal import CGRPC

/// Waits for the status of a streaming call.
///
/// `Sendable`: the status is written by the C core before the latch opens, and read after.
final class StreamEnding: Completion, @unchecked Sendable {
    let status = ReceivedStatus()
    private let call: CallHandle
    private let onEnd: @Sendable () -> Void
    private let isOver = Latch()

    init(_ call: CallHandle, onEnd: @escaping @Sendable () -> Void) {
        self.call = call
        self.onEnd = onEnd
    }

    override func complete(succeeded: Bool) {
        onEnd()
        isOver.open()
    }

    /// - Returns: how the call failed; `nil` is OK.
    func wait() async -> GRPCStatusError? {
        await isOver.wait()
        return status.error
    }
}

/// Takes the initial metadata of a streaming call, in which nobody is interested.
///
/// `Sendable`: the place is touched by the C core only.
@safe
final class StreamOpening: Completion, @unchecked Sendable {
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
