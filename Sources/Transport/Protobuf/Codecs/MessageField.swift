public enum MessageField<Nested: Message>: FieldCodec {
    @inlinable
    public static var wireType: WireType { .lengthDelimited }

    @inlinable
    public static var zero: Nested { Nested() }

    @inlinable
    public static func merge(
        _ value: inout Nested, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        try reader.delimited { (reader) throws(ProtobufError) in try value.merge(from: &reader) }
    }

    @inlinable
    public static func write(
        _ value: Nested, to writer: inout BinaryWriter
    ) throws(ProtobufError) {
        let start = writer.beginDelimited()
        try value.encode(to: &writer)
        writer.endDelimited(start)
    }

    public static func mergeJSON(
        _ value: inout Nested, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        try value.mergeJSON(from: &reader)
        return true
    }

    public static func writeJSON(
        _ value: Nested, to writer: inout JSONWriter
    ) throws(ProtobufError) {
        try value.encodeJSON(to: &writer)
    }

    public static var acceptsJSONNull: Bool { Nested.acceptsJSONNull }
}
