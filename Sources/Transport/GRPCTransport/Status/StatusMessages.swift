internal import CGRPC

/// A status on its way to the client; alive until the batch that sends it is complete.
///
/// `Sendable`: never changed after it was made.
@safe
final class OutgoingStatus: @unchecked Sendable {
    let code: grpc_status_code
    let message: UnsafeMutablePointer<grpc_slice>
    let trailers: MetadataBuffer?

    init(_ error: GRPCStatusError) {
        code = penstock_status_code(error.code.rawValue)
        unsafe message = .allocate(capacity: 1)
        unsafe message.initialize(to: grpc_slice(copying: Self.sendable(error.message)))
        trailers = Self.trailers(details: error.details)
    }

    deinit {
        unsafe grpc_slice_unref(message.pointee)
        unsafe message.deallocate()
    }

    private static func trailers(details: [UInt8]) -> MetadataBuffer? {
        if details.isEmpty || details.count > GRPCStatusError.maxDetailsBytes { return nil }
        var metadata = GRPCMetadata()
        metadata.append("grpc-status-details-bin", details)
        return try? MetadataBuffer(metadata)
    }

    /// The message as it may be sent. The C core does the percent-encoding; spaces at the ends it
    /// leaves as they are, which nghttp2 and others that follow RFC 9113 refuse in a header.
    private static func sendable(_ message: String) -> String {
        var kept = message.unicodeScalars.drop { $0.properties.isWhitespace }
        var bytes = Substring(kept).utf8.count
        while let last = kept.last {
            if bytes <= GRPCStatusError.maxMessageBytes, !last.properties.isWhitespace { break }
            bytes -= UTF8.width(last)
            kept.removeLast()
        }
        return String(kept)
    }
}

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
