internal import CGRPC

/// The place where the C core puts a call's status at the client.
///
/// `Sendable`: written before the completion that carries it, read after.
@safe
final class ReceivedStatus: @unchecked Sendable {
    @unsafe
    struct Memory {
        var code = GRPC_STATUS_UNKNOWN
        var message = unsafe grpc_empty_slice()
        var trailers = unsafe grpc_metadata_array()
    }

    let memory: UnsafeMutablePointer<Memory>

    init() {
        unsafe memory = .allocate(capacity: 1)
        unsafe memory.initialize(to: Memory())
        unsafe grpc_metadata_array_init(&memory.pointee.trailers)
    }

    deinit {
        unsafe grpc_slice_unref(memory.pointee.message)
        unsafe grpc_metadata_array_destroy(&memory.pointee.trailers)
        unsafe memory.deallocate()
    }

    /// The failure that was received; `nil` is OK. To be read while the call is alive.
    var error: GRPCStatusError? {
        let raw = unsafe penstock_status_number(memory.pointee.code)
        let code = GRPCStatusCode(rawValue: raw) ?? .unknown
        if code == .ok { return nil }
        let details = unsafe memory.pointee.trailers.values(for: "grpc-status-details-bin")
        return unsafe GRPCStatusError(
            code, memory.pointee.message.text(), details: details.first ?? [])
    }
}
