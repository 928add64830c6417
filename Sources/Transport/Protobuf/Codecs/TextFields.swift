public enum BoolField: MapKeyCodec {
    @inlinable
    public static var wireType: WireType { .varint }

    @inlinable
    public static var zero: Bool { false }

    @inlinable
    public static func merge(
        _ value: inout Bool, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = try reader.varint() != 0
    }

    @inlinable
    public static func write(_ value: Bool, to writer: inout BinaryWriter) {
        writer.varint(value ? 1 : 0)
    }

    public static func mergeJSON(
        _ value: inout Bool, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        value = try reader.bool()
        return true
    }

    public static func writeJSON(_ value: Bool, to writer: inout JSONWriter) {
        writer.raw(value ? "true" : "false")
    }

    public static func key(fromJSON text: String) -> Bool? { Bool(text) }

    public static func jsonKey(_ value: Bool) -> String { value.description }

    public static func precedes(_ left: Bool, _ right: Bool) -> Bool { !left && right }
}

public enum StringField: MapKeyCodec {
    @inlinable
    public static var wireType: WireType { .lengthDelimited }

    @inlinable
    public static var zero: String { "" }

    @inlinable
    public static func isDefault(_ value: String) -> Bool { value.isEmpty }

    @inlinable
    public static func merge(
        _ value: inout String, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = try reader.string()
    }

    @inlinable
    public static func write(_ value: String, to writer: inout BinaryWriter) {
        writer.delimited(value.utf8.span)
    }

    public static func mergeJSON(
        _ value: inout String, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        value = try reader.string()
        return true
    }

    public static func writeJSON(_ value: String, to writer: inout JSONWriter) {
        writer.string(value)
    }

    public static func key(fromJSON text: String) -> String? { text }

    public static func jsonKey(_ value: String) -> String { value }
}

public enum BytesField: FieldCodec {
    @inlinable
    public static var wireType: WireType { .lengthDelimited }

    @inlinable
    public static var zero: [UInt8] { [] }

    @inlinable
    public static func isDefault(_ value: [UInt8]) -> Bool { value.isEmpty }

    @inlinable
    public static func merge(
        _ value: inout [UInt8], from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = try reader.bytes()
    }

    @inlinable
    public static func write(_ value: [UInt8], to writer: inout BinaryWriter) {
        writer.delimited(value.span)
    }

    public static func mergeJSON(
        _ value: inout [UInt8], from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        value = try reader.base64()
        return true
    }

    public static func writeJSON(_ value: [UInt8], to writer: inout JSONWriter) {
        writer.base64(value)
    }
}
