/// Where a message reads the value of one field from; which field it is has been read already.
public protocol FieldSource: ~Copyable, ~Escapable {
    /// A field without presence.
    mutating func singular<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value
    ) throws(ProtobufError)
    /// A field with presence. Messages are merged into the one that is there.
    mutating func optional<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?
    ) throws(ProtobufError)
    /// One or several values of a repeated field, packed or not.
    mutating func repeated<Codec: FieldCodec>(
        _: Codec.Type, _ values: inout [Codec.Value]
    ) throws(ProtobufError)
    /// One or several entries of a map.
    mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _: Key.Type, _: Value.Type, _ values: inout [Key.Value: Value.Value]
    ) throws(ProtobufError)
    /// A member of a oneof; `occupied` says that the oneof has a value, which is an error in JSON and
    /// overruled in the binary format.
    mutating func member<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?, occupied: Bool
    ) throws(ProtobufError)
}
