internal import CGRPC

/// Keys and values that travel with a call beside its messages.
///
/// Keys are lower case. A key that ends in `-bin` carries any bytes, the others printable ASCII.
/// See <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
public struct GRPCMetadata: Sendable, Equatable {
    /// A key with one of its values.
    public struct Entry: Sendable, Equatable {
        /// The key, in lower case.
        public var key: String
        /// The value: text, or any bytes if the key ends in `-bin`.
        public var value: [UInt8]
    }

    /// All keys and values, in the order in which they are sent.
    public private(set) var entries: [Entry] = []

    /// Creates metadata without entries.
    public init() {}

    /// Adds a value under a key, which may have others already.
    public mutating func append(_ key: String, _ value: String) { append(key, Array(value.utf8)) }

    /// Adds a value under a key, which may have others already.
    public mutating func append(_ key: String, _ value: [UInt8]) {
        entries.append(Entry(key: key.lowercased(), value: value))
    }

    func appending(_ others: GRPCMetadata) -> GRPCMetadata {
        var all = self
        all.entries += others.entries
        return all
    }
}

extension GRPCMetadata: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { append(key, value) }
    }
}

/// Metadata on its way out, in the C core's form; alive until the batch that sends it is complete.
///
/// `Sendable`: never changed after it was made.
@safe
final class MetadataBuffer: @unchecked Sendable {
    private let entries: UnsafeMutableBufferPointer<grpc_metadata>

    /// - Throws: INVALID_ARGUMENT for keys and values that may not be sent.
    init(_ metadata: GRPCMetadata) throws(GRPCStatusError) {
        unsafe entries = .allocate(capacity: metadata.entries.count)
        unsafe entries.initialize(repeating: grpc_metadata())
        for (index, entry) in metadata.entries.enumerated() {
            unsafe entries[index].key = grpc_slice(copying: entry.key)
            unsafe entries[index].value = grpc_slice(copying: entry.value)
            guard unsafe Self.isLegal(entries[index]) else {
                throw GRPCStatusError(
                    .invalidArgument, "metadata \(entry.key) may not be sent as it is")
            }
        }
    }

    deinit {
        for index in unsafe entries.indices {
            unsafe grpc_slice_unref(entries[index].key)
            unsafe grpc_slice_unref(entries[index].value)
        }
        unsafe entries.deallocate()
    }

    var count: Int { unsafe entries.count }
    var pointer: UnsafeMutablePointer<grpc_metadata>? { unsafe entries.baseAddress }

    private static func isLegal(_ entry: grpc_metadata) -> Bool {
        guard unsafe grpc_header_key_is_legal(entry.key) != 0 else { return false }
        return unsafe grpc_is_binary_header(entry.key) != 0
            || grpc_header_nonbin_value_is_legal(entry.value) != 0
    }
}

extension grpc_metadata_array {
    /// The values sent under `key`, in order; keys are lower case.
    func values(for key: String) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for index in unsafe 0..<count {
            let entry = unsafe metadata[index]
            if unsafe grpc_slice_str_cmp(entry.key, key) == 0 {
                unsafe found.append(entry.value.copy())
            }
        }
        return found
    }
}
