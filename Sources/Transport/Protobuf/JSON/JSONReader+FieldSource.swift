extension JSONReader: FieldSource {
    /// Consumes `null` where that means the field's absence.
    @usableFromInline
    mutating func takeNull<Codec: FieldCodec>(_: Codec.Type) throws(ProtobufError) -> Bool {
        if Codec.acceptsJSONNull { return false }
        return try literal("null")
    }

    @inlinable
    public mutating func singular<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value
    ) throws(ProtobufError) {
        if try takeNull(Codec.self) { return }
        _ = try Codec.mergeJSON(&value, from: &self)
    }

    @inlinable
    public mutating func optional<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?
    ) throws(ProtobufError) {
        if try takeNull(Codec.self) { return }
        var merged = value.take() ?? Codec.zero
        if try Codec.mergeJSON(&merged, from: &self) { value = merged }
    }

    @inlinable
    public mutating func member<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?, occupied: Bool
    ) throws(ProtobufError) {
        if try takeNull(Codec.self) { return }
        if occupied {
            throw error(.duplicateField, "another field that excludes this one is set already")
        }
        try optional(Codec.self, &value)
    }

    @inlinable
    public mutating func repeated<Codec: FieldCodec>(
        _: Codec.Type, _ values: inout [Codec.Value]
    ) throws(ProtobufError) {
        if try literal("null") { return }
        var index = 0
        try array { (reader) throws(ProtobufError) in
            var value = Codec.zero
            do throws(ProtobufError) {
                if try Codec.mergeJSON(&value, from: &reader) { values.append(value) }
            } catch {
                throw error.inside(element: index)
            }
            index += 1
        }
    }

    @inlinable
    public mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _: Key.Type, _: Value.Type, _ values: inout [Key.Value: Value.Value]
    ) throws(ProtobufError) {
        if try literal("null") { return }
        var seen: Set<Key.Value> = []
        try object { (text, reader) throws(ProtobufError) in
            guard let key = Key.key(fromJSON: text) else {
                throw reader.error(.invalidValue, "\"\(text)\" is no key of this map")
            }
            guard seen.insert(key).inserted else {
                throw reader.error(.duplicateField, "key \"\(text)\" occurs twice")
            }
            var value = Value.zero
            do throws(ProtobufError) {
                if try Value.mergeJSON(&value, from: &reader) { values[key] = value }
            } catch {
                throw error.inside("[\"\(text)\"]")
            }
        }
    }
}
