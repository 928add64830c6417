/// How one protobuf field type is read and written, in both formats. Conformances are enums without
/// cases, named after the type: ``StringField``, ``SInt32Field``.
public protocol FieldCodec {
    /// The Swift type of the field's values.
    associatedtype Value: Hashable & Sendable
    /// How values are laid out on the wire.
    static var wireType: WireType { get }
    /// The default value.
    static var zero: Value { get }
    /// Whether a field without presence leaves this value out.
    static func isDefault(_ value: Value) -> Bool
    /// Reads a value; a message is merged into the one that is there, others are replaced.
    static func merge(_ value: inout Value, from reader: inout BinaryReader) throws(ProtobufError)
    static func write(_ value: Value, to writer: inout BinaryWriter) throws(ProtobufError)
    /// As ``merge(_:from:)``, from JSON.
    ///
    /// - Returns: false when the value is to be dropped: an enum's unknown name, where unknown
    ///   fields are ignored.
    static func mergeJSON(
        _ value: inout Value, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool
    static func writeJSON(_ value: Value, to writer: inout JSONWriter) throws(ProtobufError)
    /// Whether `null` is a value, not its absence.
    static var acceptsJSONNull: Bool { get }
}

extension FieldCodec {
    @inlinable
    public static func isDefault(_ value: Value) -> Bool { value == zero }
    @inlinable
    public static var acceptsJSONNull: Bool { false }
}

/// A field type that may be a map's key.
public protocol MapKeyCodec: FieldCodec {
    /// Reads a key of a JSON object; nil when it is none of this type.
    static func key(fromJSON text: String) -> Value?
    static func jsonKey(_ value: Value) -> String
    /// The order in which maps are written.
    static func precedes(_ left: Value, _ right: Value) -> Bool
}

extension MapKeyCodec where Value: Comparable {
    @inlinable
    public static func precedes(_ left: Value, _ right: Value) -> Bool { left < right }
}

public enum EnumField<Enum: ProtobufEnum>: FieldCodec {
    @inlinable
    public static var wireType: WireType { .varint }

    @inlinable
    public static var zero: Enum { Enum(rawValue: 0) }

    @inlinable
    public static func isDefault(_ value: Enum) -> Bool { value.rawValue == 0 }

    @inlinable
    public static func merge(
        _ value: inout Enum, from reader: inout BinaryReader
    ) throws(ProtobufError) {
        value = Enum(rawValue: Int32(truncatingIfNeeded: try reader.varint()))
    }

    @inlinable
    public static func write(_ value: Enum, to writer: inout BinaryWriter) {
        writer.varint(UInt64(bitPattern: Int64(value.rawValue)))
    }

    /// Accepts a name or a number. An unknown name is an error unless unknown fields are ignored.
    public static func mergeJSON(
        _ value: inout Enum, from reader: inout JSONReader
    ) throws(ProtobufError) -> Bool {
        if Enum.isJSONNull, try reader.literal("null") {
            value = zero
            return true
        }
        guard try reader.peek() == UInt8(ascii: "\"") else {
            value = Enum(rawValue: try reader.integer())
            return true
        }
        let start = reader.position
        let name = try reader.string()
        if let number = Enum.numbers[name] {
            value = Enum(rawValue: number)
            return true
        }
        if reader.options.ignoreUnknownFields { return false }
        reader.position = start
        let known = Enum.numbers.sorted { $0.value < $1.value }.map(\.key).joined(separator: ", ")
        throw reader.error(.invalidValue, "unknown value \"\(name)\"; expected one of \(known)")
    }

    public static func writeJSON(_ value: Enum, to writer: inout JSONWriter) {
        if Enum.isJSONNull {
            writer.raw("null")
        } else if let name = value.protoName {
            writer.string(name)
        } else {
            writer.raw(value.rawValue.description)
        }
    }

    public static var acceptsJSONNull: Bool { Enum.isJSONNull }
}

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
