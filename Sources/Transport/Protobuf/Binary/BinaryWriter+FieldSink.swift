extension BinaryWriter: FieldSink {
    @inlinable
    public mutating func singular<Codec: FieldCodec>(
        _ number: Int, _: FieldName, _: Codec.Type, _ value: Codec.Value
    ) throws(ProtobufError) {
        if Codec.isDefault(value) { return }
        tag(number, Codec.wireType)
        try Codec.write(value, to: &self)
    }

    @inlinable
    public mutating func optional<Codec: FieldCodec>(
        _ number: Int, _: FieldName, _: Codec.Type, _ value: Codec.Value?
    ) throws(ProtobufError) {
        guard let value else { return }
        tag(number, Codec.wireType)
        try Codec.write(value, to: &self)
    }

    @inlinable
    public mutating func packed<Codec: FieldCodec>(
        _ number: Int, _: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError) {
        if values.isEmpty { return }
        tag(number, .lengthDelimited)
        let start = beginDelimited()
        for value in values { try Codec.write(value, to: &self) }
        endDelimited(start)
    }

    @inlinable
    public mutating func repeated<Codec: FieldCodec>(
        _ number: Int, _: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError) {
        for value in values {
            tag(number, Codec.wireType)
            try Codec.write(value, to: &self)
        }
    }

    @inlinable
    public mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _ number: Int, _: FieldName, _: Key.Type, _: Value.Type,
        _ values: [Key.Value: Value.Value]
    ) throws(ProtobufError) {
        for (key, value) in values.sorted(by: { Key.precedes($0.key, $1.key) }) {
            tag(number, .lengthDelimited)
            let start = beginDelimited()
            tag(1, Key.wireType)
            try Key.write(key, to: &self)
            tag(2, Value.wireType)
            try Value.write(value, to: &self)
            endDelimited(start)
        }
    }
}
