/// Where a message writes its fields: the binary format uses the number, JSON the name.
public protocol FieldSink: ~Copyable {
    /// A field without presence: left out when it has its default value.
    mutating func singular<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ value: Codec.Value
    ) throws(ProtobufError)
    /// A field with presence: left out when it is nil.
    mutating func optional<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ value: Codec.Value?
    ) throws(ProtobufError)
    /// A repeated field whose values share one length on the wire.
    mutating func packed<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError)
    /// A repeated field whose values have a tag each.
    mutating func repeated<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError)
    /// A map, written in the order of its keys.
    mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Key.Type, _: Value.Type,
        _ values: [Key.Value: Value.Value]
    ) throws(ProtobufError)
}
