extension BinaryReader: FieldSource {
    // A known number with another wire type is an unknown field.

    @inlinable
    public mutating func singular<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value
    ) throws(ProtobufError) {
        guard wireType == Codec.wireType else { return try skipField() }
        try Codec.merge(&value, from: &self)
    }

    @inlinable
    public mutating func optional<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?
    ) throws(ProtobufError) {
        guard wireType == Codec.wireType else { return try skipField() }
        // Taken out, so that merging finds the storage unique and copies nothing.
        var merged = value.take() ?? Codec.zero
        try Codec.merge(&merged, from: &self)
        value = merged
    }

    @inlinable
    public mutating func member<Codec: FieldCodec>(
        _: Codec.Type, _ value: inout Codec.Value?, occupied: Bool
    ) throws(ProtobufError) {
        try optional(Codec.self, &value)
    }

    @inlinable
    public mutating func repeated<Codec: FieldCodec>(
        _: Codec.Type, _ values: inout [Codec.Value]
    ) throws(ProtobufError) {
        if wireType == Codec.wireType {
            var value = Codec.zero
            do {
                try Codec.merge(&value, from: &self)
            } catch {
                throw error.inside(element: values.count)
            }
            values.append(value)
        } else if wireType == .lengthDelimited {
            let length = try length()
            let outerEnd = end
            end = position &+ length
            while position < end {
                var value = Codec.zero
                try Codec.merge(&value, from: &self)
                values.append(value)
            }
            end = outerEnd
        } else {
            try skipField()
        }
    }

    @inlinable
    public mutating func map<Key: MapKeyCodec, Value: FieldCodec>(
        _: Key.Type, _: Value.Type, _ values: inout [Key.Value: Value.Value]
    ) throws(ProtobufError) {
        guard wireType == .lengthDelimited else { return try skipField() }
        var key = Key.zero
        var value = Value.zero
        try delimited { (reader) throws(ProtobufError) in
            while let number = try reader.nextField() {
                switch number {
                case 1: try reader.singular(Key.self, &key)
                case 2: try reader.singular(Value.self, &value)
                default: try reader.skipField()
                }
            }
        }
        values[key] = value
    }
}
