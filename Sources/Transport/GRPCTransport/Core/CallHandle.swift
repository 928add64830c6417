internal import CGRPC

/// One reference to a call of the C core.
///
/// `Sendable`: the pointer never changes; batches are started under the owner's rules, cancelling
/// is allowed from any thread.
@safe
final class CallHandle: @unchecked Sendable {
    /// For the C core's functions; not to be kept.
    let pointer: OpaquePointer

    /// Takes over a reference.
    init(owning pointer: OpaquePointer) { unsafe self.pointer = pointer }

    deinit { unsafe grpc_call_unref(pointer) }

    /// Ends the call at this side and tells the other side that it does.
    func cancel() { _ = unsafe grpc_call_cancel(pointer, nil) }

    /// The other side's name: for a server's connection the descriptor that it was handed over with, as `fd:17`.
    static func peer(of call: OpaquePointer) -> String {
        guard let text = unsafe grpc_call_get_peer(call) else { return "" }
        defer { unsafe gpr_free(text) }
        return unsafe String(cString: text)
    }
}
