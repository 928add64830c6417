// JSON's own values as messages: an object, an array, any value.

extension Google_Protobuf_Struct {
    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        try reader.map(
            StringField.self, MessageField<Google_Protobuf_Value>.self, &self.fields)
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        writer.open(UInt8(ascii: "{"))
        for (key, value) in self.fields.sorted(by: { $0.key < $1.key }) {
            writer.key(key)
            try value.encodeJSON(to: &writer)
        }
        writer.close(UInt8(ascii: "}"))
    }
}

extension Google_Protobuf_ListValue {
    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        try reader.repeated(MessageField<Google_Protobuf_Value>.self, &values)
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        writer.open(UInt8(ascii: "["))
        for value in values {
            writer.separate()
            try value.encodeJSON(to: &writer)
        }
        writer.close(UInt8(ascii: "]"))
    }
}

extension Google_Protobuf_Value {
    public static var acceptsJSONNull: Bool { true }

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        switch try reader.peek() {
        case UInt8(ascii: "{"):
            var value = Google_Protobuf_Struct()
            try value.mergeJSON(from: &reader)
            kind = .structValue(value)
        case UInt8(ascii: "["):
            var value = Google_Protobuf_ListValue()
            try value.mergeJSON(from: &reader)
            kind = .listValue(value)
        case UInt8(ascii: "\""): kind = .stringValue(try reader.string())
        case UInt8(ascii: "t"), UInt8(ascii: "f"): kind = .boolValue(try reader.bool())
        case UInt8(ascii: "n"):
            guard try reader.literal("null") else { throw reader.unexpected("a value") }
            kind = .nullValue(.nullValue)
        default: kind = .numberValue(try reader.floatingPoint())
        }
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        switch kind {
        case nil: throw ProtobufError(.unencodable, "a Value without a value")
        case .nullValue: writer.raw("null")
        case .numberValue(let number):
            guard number.isFinite else {
                throw ProtobufError(.unencodable, "JSON has no number for \(number)")
            }
            writer.floatingPoint(number)
        case .stringValue(let text): writer.string(text)
        case .boolValue(let bool): writer.raw(bool ? "true" : "false")
        case .structValue(let value): try value.encodeJSON(to: &writer)
        case .listValue(let value): try value.encodeJSON(to: &writer)
        }
    }
}

extension Google_Protobuf_NullValue {
    public static var isJSONNull: Bool { true }
}
