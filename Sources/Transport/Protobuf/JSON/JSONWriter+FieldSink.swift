extension JSONWriter: FieldSink {
    @inlinable
    public mutating func singular<Codec: FieldCodec>(
        _: Int, _ name: FieldName, _: Codec.Type, _ value: Codec.Value
    ) throws(ProtobufError) {
        if Codec.isDefault(value) { return }
        try optional(0, name, Codec.self, value)
    }

    @inlinable
    public mutating func optional<Codec: FieldCodec>(
        _: Int, _ name: FieldName, _: Codec.Type, _ value: Codec.Value?
    ) throws(ProtobufError) {
        guard let value else { return }
        field(name)
        do {
            try Codec.writeJSON(value, to: &self)
        } catch {
            throw error.inside(name.proto)
        }
    }

    @inlinable
    public mutating func packed<Codec: FieldCodec>(
        _ number: Int, _ name: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError) {
        try repeated(number, name, Codec.self, values)
    }

    @inlinable
    public mutating func repeated<Codec: FieldCodec>(
        _: Int, _ name: FieldName, _: Codec.Type, _ values: [Codec.Value]
    ) throws(ProtobufError) {
        if values.isEmpty { return }
        field(name)
        open(UInt8(ascii: "["))
        for (index, value) in values.enumerated() {
            separate()
            do {
                try Codec.writeJSON(value, to: &self)
            } catch {
                throw error.inside(element: index).inside(name.proto)
            }
        }
        close(UInt8(ascii: "]"))
    }

    @inlinable
    public mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _: Int, _ name: FieldName, _: Key.Type, _: Value.Type,
        _ values: [Key.Value: Value.Value]
    ) throws(ProtobufError) {
        if values.isEmpty { return }
        field(name)
        open(UInt8(ascii: "{"))
        for (mapKey, value) in values.sorted(by: { Key.precedes($0.key, $1.key) }) {
            key(Key.jsonKey(mapKey))
            do {
                try Value.writeJSON(value, to: &self)
            } catch {
                throw error.inside("[\"\(Key.jsonKey(mapKey))\"]").inside(name.proto)
            }
        }
        close(UInt8(ascii: "}"))
    }
}
