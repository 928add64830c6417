internal import CGRPC

/// The C core's reference-counted bytes.
///
/// See <https://grpc.github.io/grpc/core/slice_8h.html>.
extension grpc_slice {
    /// Copies bytes. The caller owns the slice.
    init(copying bytes: [UInt8]) {
        unsafe self = bytes.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return unsafe grpc_empty_slice() }
            return unsafe grpc_slice_from_copied_buffer(
                start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
    }

    /// Copies a string's UTF-8. The caller owns the slice.
    init(copying string: String) {
        unsafe self.init(copying: Array(string.utf8))
    }

    /// Lends the bytes.
    fileprivate mutating func withBytes<Result: ~Copyable, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let buffer = unsafe UnsafeBufferPointer(
            start: penstock_slice_start(&self), count: penstock_slice_length(&self))
        return try unsafe body(buffer.span)
    }

    /// A copy of the bytes.
    func copy() -> [UInt8] {
        var slice = unsafe self
        return unsafe slice.withBytes { Array(copying: $0) }
    }

    /// The bytes as text, with replacement characters where they are not UTF-8.
    func text() -> String { unsafe String(decoding: copy(), as: UTF8.self) }
}

extension [UInt8] {
    /// Copies bytes that are only lent, such as a handler's request.
    package init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    }
}

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
