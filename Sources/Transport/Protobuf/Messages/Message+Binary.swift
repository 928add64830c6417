extension Message {
    /// Decodes the binary format.
    ///
    /// Unknown fields are skipped, as the format demands. Nothing is allocated besides the values of
    /// the fields.
    ///
    /// - Throws: ``ProtobufError`` with the field's path and the byte offset where the input is
    ///   truncated or malformed, holds text that is no UTF-8, or nests deeper than 100 messages.
    @inlinable
    public init(serializedBytes bytes: [UInt8]) throws(ProtobufError) {
        try self.init(serializedBytes: bytes.span)
    }

    /// Decodes the binary format from a part of an array, without copying it.
    ///
    /// - Throws: ``ProtobufError``; its offset counts from the start of the slice.
    @inlinable
    public init(serializedBytes bytes: ArraySlice<UInt8>) throws(ProtobufError) {
        try self.init(serializedBytes: bytes.span)
    }

    /// Decodes the binary format from borrowed memory, such as a C library's buffer.
    ///
    /// - Throws: ``ProtobufError``; its offset counts from the start of the span.
    @inlinable
    public init(serializedBytes bytes: Span<UInt8>) throws(ProtobufError) {
        self.init()
        var reader = BinaryReader(bytes)
        try merge(from: &reader)
    }

    /// Encodes in the binary format. Equal messages give equal bytes (maps are sorted by key).
    ///
    /// - Throws: ``ProtobufError`` with the code `unencodable` when the result exceeds 2 GiB, the
    ///   format's limit.
    @inlinable
    public func serializedBytes() throws(ProtobufError) -> [UInt8] {
        var writer = BinaryWriter()
        try encode(to: &writer)
        return try writer.finish()
    }

    /// Appends the binary format to `bytes`, so that one buffer serves many messages.
    ///
    /// - Throws: As ``serializedBytes()``; `bytes` is empty then.
    @inlinable
    public func serialize(appendingTo bytes: inout [UInt8]) throws(ProtobufError) {
        var storage: [UInt8] = []
        swap(&storage, &bytes)
        var writer = BinaryWriter(appendingTo: storage)
        storage = []
        try encode(to: &writer)
        bytes = try writer.finish()
    }

    /// Reads fields to the end of the reader's range: the body of the generated `merge(from:)`.
    @inlinable
    public mutating func mergeFields(from reader: inout BinaryReader) throws(ProtobufError) {
        while let number = try reader.nextField() {
            do {
                if try !decode(field: number, from: &reader) { try reader.skipField() }
            } catch {
                throw error.inside(Self.fields.name(of: number))
            }
        }
    }
}
