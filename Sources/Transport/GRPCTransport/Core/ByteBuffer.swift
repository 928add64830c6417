internal import CGRPC

/// A message on its way out or in, in the C core's memory.
///
/// See <https://grpc.github.io/grpc/core/byte__buffer_8h.html>.
@safe
struct ByteBuffer: ~Copyable {
    /// For the C core's functions; not to be kept.
    let pointer: UnsafeMutablePointer<grpc_byte_buffer>

    /// Copies a message.
    init(copying bytes: [UInt8]) {
        var slice = unsafe grpc_slice(copying: bytes)
        unsafe pointer = grpc_raw_byte_buffer_create(&slice, 1)
        unsafe grpc_slice_unref(slice)
    }

    /// Takes over a message that the C core has received.
    init(owning pointer: UnsafeMutablePointer<grpc_byte_buffer>) { unsafe self.pointer = pointer }

    deinit { unsafe grpc_byte_buffer_destroy(pointer) }

    /// Lends the message's bytes, without a copy when they lie in one piece.
    ///
    /// - Returns: `nil` if the bytes cannot be decompressed.
    func withBytes<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        try unsafe Self.withBytes(of: pointer, body)
    }

    /// Lends the bytes of a message that somebody else owns.
    static func withBytes<Result, Failure: Error>(
        of pointer: UnsafeMutablePointer<grpc_byte_buffer>,
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result? {
        var reader = unsafe grpc_byte_buffer_reader()
        guard unsafe grpc_byte_buffer_reader_init(&reader, pointer) != 0 else { return nil }
        defer { unsafe grpc_byte_buffer_reader_destroy(&reader) }
        let length = unsafe grpc_byte_buffer_length(reader.buffer_out)
        if length == 0 { return try body(Span()) }
        var first: UnsafeMutablePointer<grpc_slice>? = nil
        if unsafe grpc_byte_buffer_reader_peek(&reader, &first) != 0, let first = unsafe first,
            unsafe penstock_slice_length(first) == length
        {
            return try unsafe first.pointee.withBytes(body)
        }
        unsafe grpc_byte_buffer_reader_destroy(&reader)
        guard unsafe grpc_byte_buffer_reader_init(&reader, pointer) != 0 else { return nil }
        var whole = unsafe grpc_byte_buffer_reader_readall(&reader)
        defer { unsafe grpc_slice_unref(whole) }
        return try unsafe whole.withBytes(body)
    }
}
