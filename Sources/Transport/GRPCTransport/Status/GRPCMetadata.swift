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
}

extension GRPCMetadata: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, String)...) {
        for (key, value) in elements { append(key, value) }
    }
}
