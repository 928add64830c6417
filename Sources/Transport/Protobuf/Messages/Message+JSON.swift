/// How JSON is read.
public struct JSONDecodingOptions: Sendable {
    /// Skips fields and enum values that the message does not know. False by default: a misspelt
    /// field is an error which names it.
    public var ignoreUnknownFields = false
    /// How deep objects and arrays may nest, those in skipped values included.
    public var messageDepthLimit = 100
    /// Types that a `google.protobuf.Any` may hold, besides the well-known ones and those of
    /// google.rpc.
    public var packedTypes: [any Message.Type] = []

    public init() {}
}

/// How JSON is written.
public struct JSONEncodingOptions: Sendable {
    /// Writes `case_id` as in the proto file, not `caseId`. Readers accept both.
    public var preserveProtoFieldNames = false
    /// Types that a `google.protobuf.Any` may hold, besides the well-known ones and those of
    /// google.rpc.
    public var packedTypes: [any Message.Type] = []

    public init() {}
}

extension Message {
    /// Decodes [ProtoJSON](https://protobuf.dev/programming-guides/json/) text in UTF-8.
    ///
    /// - Throws: ``ProtobufError`` with the field's path and the byte offset: for text that is no
    ///   JSON, for unknown fields unless the options allow them, for duplicate fields, values of
    ///   another type and numbers out of range.
    public init(
        jsonUTF8Bytes bytes: [UInt8], options: JSONDecodingOptions = .init()
    ) throws(ProtobufError) {
        try self.init(jsonUTF8Bytes: bytes.span, options: options)
    }

    /// Decodes a part of an array, without copying it.
    ///
    /// - Throws: As for an array; the offset counts from the start of the slice.
    public init(
        jsonUTF8Bytes bytes: ArraySlice<UInt8>, options: JSONDecodingOptions = .init()
    ) throws(ProtobufError) {
        try self.init(jsonUTF8Bytes: bytes.span, options: options)
    }

    /// Decodes from borrowed memory, such as a C library's buffer.
    ///
    /// - Throws: As for an array; the offset counts from the start of the span.
    public init(
        jsonUTF8Bytes bytes: Span<UInt8>, options: JSONDecodingOptions = .init()
    ) throws(ProtobufError) {
        self.init()
        var reader = JSONReader(bytes, options: options)
        try mergeJSON(from: &reader)
        try reader.finish()
    }

    /// Decodes a string.
    ///
    /// - Throws: As for an array; the offset counts UTF-8 bytes.
    public init(
        jsonString text: String, options: JSONDecodingOptions = .init()
    ) throws(ProtobufError) {
        try self.init(jsonUTF8Bytes: text.utf8.span, options: options)
    }

    /// Encodes as ProtoJSON on one line, in the order of the field numbers, maps sorted by key.
    ///
    /// - Throws: ``ProtobufError`` with the code `unencodable` for values that JSON cannot hold,
    ///   such as a time outside the years 1 to 9999.
    public func jsonUTF8Bytes(
        options: JSONEncodingOptions = .init()
    ) throws(ProtobufError) -> [UInt8] {
        var writer = JSONWriter(options: options)
        try encodeJSON(to: &writer)
        return writer.finish()
    }

    /// Encodes as ProtoJSON, see ``jsonUTF8Bytes(options:)``.
    public func jsonString(options: JSONEncodingOptions = .init()) throws(ProtobufError) -> String {
        String(decoding: try jsonUTF8Bytes(options: options), as: UTF8.self)
    }

    /// Reads an object's fields: the body of the generated `mergeJSON(from:)`.
    @inlinable
    public mutating func mergeFields(from reader: inout JSONReader) throws(ProtobufError) {
        var seen = FieldNumbers()
        try reader.object { (key, reader) throws(ProtobufError) in
            guard let number = Self.fields.number(of: key) else {
                return try reader.skipUnknown(key, of: Self.self)
            }
            guard seen.insert(number) else {
                throw reader.error(.duplicateField, "field \"\(key)\" occurs twice")
            }
            do throws(ProtobufError) {
                _ = try decode(field: number, from: &reader)
            } catch {
                throw error.inside(key)
            }
        }
    }

    /// Writes the fields as an object: the body of the generated `encodeJSON(to:)`.
    @inlinable
    public func writeFields(to writer: inout JSONWriter) throws(ProtobufError) {
        writer.open(UInt8(ascii: "{"))
        try encode(into: &writer)
        writer.close(UInt8(ascii: "}"))
    }
}
