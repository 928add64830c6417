/// An integer type. They differ only in how they are laid out on the wire.
public protocol IntegerCodec: MapKeyCodec
where Value: FixedWidthInteger & LosslessStringConvertible & Sendable {}

extension IntegerCodec {
    @inlinable
    public static var zero: Value { 0 }

    public static func key(fromJSON text: String) -> Value? { Value(text) }

    public static func jsonKey(_ value: Value) -> String { value.description }

    public static func mergeJSON(
        _ value: inout Value, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        value = try reader.integer()
        return true
    }

    public static func writeJSON(_ value: Value, to writer: inout JSONWriter) {
        writer.integer(value)
    }
}

/// Integers of variable length; negative ones take ten bytes.
public protocol VarintCodec: IntegerCodec {}

extension VarintCodec {
    @inlinable
    public static var wireType: WireType { .varint }

    @inlinable
    public static func merge(
        _ value: inout Value, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = Value(truncatingIfNeeded: try reader.varint())
    }

    @inlinable
    public static func write(_ value: Value, to writer: inout BinaryWriter) {
        writer.varint(UInt64(bitPattern: Int64(truncatingIfNeeded: value)))
    }
}

public enum Int32Field: VarintCodec { public typealias Value = Int32 }
public enum Int64Field: VarintCodec { public typealias Value = Int64 }
public enum UInt32Field: VarintCodec { public typealias Value = UInt32 }
public enum UInt64Field: VarintCodec { public typealias Value = UInt64 }

/// Integers of variable length whose sign is the lowest bit, so that small negative ones are short.
public protocol ZigZagCodec: IntegerCodec {}

extension ZigZagCodec {
    @inlinable
    public static var wireType: WireType { .varint }

    @inlinable
    public static func merge(
        _ value: inout Value, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        let bits = try reader.varint()
        let kept = Value.bitWidth == 32 ? bits & 0xFFFF_FFFF : bits
        value = Value(truncatingIfNeeded: Int64(bitPattern: kept >> 1) ^ -Int64(kept & 1))
    }

    @inlinable
    public static func write(_ value: Value, to writer: inout BinaryWriter) {
        let signed = Int64(value)
        writer.varint(UInt64(bitPattern: (signed << 1) ^ (signed >> 63)))
    }
}

public enum SInt32Field: ZigZagCodec { public typealias Value = Int32 }
public enum SInt64Field: ZigZagCodec { public typealias Value = Int64 }

/// Integers of fixed length, little-endian.
public protocol FixedCodec: IntegerCodec where Value.Magnitude: UnsignedInteger {}

extension FixedCodec {
    @inlinable
    public static var wireType: WireType { Value.bitWidth == 32 ? .fixed32 : .fixed64 }

    @inlinable
    public static func merge(
        _ value: inout Value, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = Value(truncatingIfNeeded: try reader.fixed(Value.Magnitude.self))
    }

    @inlinable
    public static func write(_ value: Value, to writer: inout BinaryWriter) { writer.fixed(value) }
}

public enum Fixed32Field: FixedCodec { public typealias Value = UInt32 }
public enum SFixed32Field: FixedCodec { public typealias Value = Int32 }
public enum Fixed64Field: FixedCodec { public typealias Value = UInt64 }
public enum SFixed64Field: FixedCodec { public typealias Value = Int64 }

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
