internal import CGRPC

/// The C core's channel: the connections to one target, made and mended as they are needed.
///
/// `Sendable`: the pointer never changes, and the C core's channel may be used from any thread.
@safe
final class ChannelHandle: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(target: String, _ arguments: borrowing ChannelArguments) {
        Library.start()
        let credentials = unsafe grpc_insecure_credentials_create()
        unsafe pointer = arguments.withPointer {
            unsafe grpc_channel_create(target, credentials, $0)
        }
        unsafe grpc_channel_credentials_release(credentials)
    }

    deinit { unsafe grpc_channel_destroy(pointer) }

    /// A call whose operations complete on `queue`; nothing is sent yet.
    func makeCall(_ path: String, timeout: Duration?, on queue: CompletionQueue) -> CallHandle {
        let method = unsafe grpc_slice(copying: path)
        defer { unsafe grpc_slice_unref(method) }
        let call = unsafe grpc_channel_create_call(
            pointer, nil, 0, queue.pointer, method, nil, gpr_timespec(after: timeout), nil)
        return unsafe CallHandle(owning: call!)
    }
}
