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
