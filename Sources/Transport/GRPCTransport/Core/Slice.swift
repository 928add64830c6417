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
    mutating func withBytes<Result: ~Copyable, Failure: Error>(
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
