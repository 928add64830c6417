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
