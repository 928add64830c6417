public enum DoubleField: FieldCodec {
    @inlinable
    public static var wireType: WireType { .fixed64 }

    @inlinable
    public static var zero: Double { 0 }

    /// Negative zero is not the default.
    @inlinable
    public static func isDefault(_ value: Double) -> Bool { value.bitPattern == 0 }

    @inlinable
    public static func merge(
        _ value: inout Double, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = Double(bitPattern: try reader.fixed(UInt64.self))
    }

    @inlinable
    public static func write(_ value: Double, to writer: inout BinaryWriter) {
        writer.fixed(value.bitPattern)
    }

    public static func mergeJSON(
        _ value: inout Double, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        value = try reader.floatingPoint()
        return true
    }

    public static func writeJSON(_ value: Double, to writer: inout JSONWriter) {
        writer.floatingPoint(value)
    }
}

public enum FloatField: FieldCodec {
    @inlinable
    public static var wireType: WireType { .fixed32 }

    @inlinable
    public static var zero: Float { 0 }

    /// Negative zero is not the default.
    @inlinable
    public static func isDefault(_ value: Float) -> Bool { value.bitPattern == 0 }

    @inlinable
    public static func merge(
        _ value: inout Float, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = Float(bitPattern: try reader.fixed(UInt32.self))
    }

    @inlinable
    public static func write(_ value: Float, to writer: inout BinaryWriter) {
        writer.fixed(value.bitPattern)
    }

    public static func mergeJSON(
        _ value: inout Float, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        value = try reader.floatingPoint()
        return true
    }

    public static func writeJSON(_ value: Float, to writer: inout JSONWriter) {
        writer.floatingPoint(value)
    }
}
