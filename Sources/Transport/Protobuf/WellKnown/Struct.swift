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

/// A message that wraps one value to give it presence, and whose JSON form is that value.
public protocol WrapperMessage: Message {
    associatedtype Codec: FieldCodec
    var value: Codec.Value { get set }
}

extension WrapperMessage {
    public init(_ value: Codec.Value) {
        self.init()
        self.value = value
    }

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        _ = try Codec.mergeJSON(&value, from: &reader)
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        try Codec.writeJSON(value, to: &writer)
    }
}

extension Google_Protobuf_BoolValue: WrapperMessage { public typealias Codec = BoolField }
extension Google_Protobuf_BytesValue: WrapperMessage { public typealias Codec = BytesField }
extension Google_Protobuf_DoubleValue: WrapperMessage { public typealias Codec = DoubleField }
extension Google_Protobuf_FloatValue: WrapperMessage { public typealias Codec = FloatField }
extension Google_Protobuf_Int32Value: WrapperMessage { public typealias Codec = Int32Field }
extension Google_Protobuf_Int64Value: WrapperMessage { public typealias Codec = Int64Field }
extension Google_Protobuf_StringValue: WrapperMessage { public typealias Codec = StringField }
extension Google_Protobuf_UInt32Value: WrapperMessage { public typealias Codec = UInt32Field }
extension Google_Protobuf_UInt64Value: WrapperMessage { public typealias Codec = UInt64Field }

extension Google_Protobuf_FieldMask {
    // In JSON the paths are one string, in lower camel case: "user.displayName,photo".

    public mutating func mergeJSON(from reader: inout JSONReader) throws(ProtobufError) {
        let read = try reader.parsedString("field paths in lower camel case") {
            $0.isEmpty ? [] : Self.paths($0)
        }
        paths += read
    }

    public func encodeJSON(to writer: inout JSONWriter) throws(ProtobufError) {
        var written: [String] = []
        for path in paths {
            guard let camel = Self.camel(path) else {
                throw ProtobufError(.unencodable, "the path \(path) has no form in JSON")
            }
            written.append(camel)
        }
        writer.string(written.joined(separator: ","))
    }

    private static func paths(_ text: String) -> [String]? {
        var paths: [String] = []
        for path in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard !path.isEmpty, !path.utf8.contains(UInt8(ascii: "_")) else { return nil }
            var snake = ""
            for character in path {
                if character.isUppercase { snake.append("_") }
                snake += character.lowercased()
            }
            paths.append(snake)
        }
        return paths
    }

    /// Nil for a path that would not read back as it was.
    private static func camel(_ path: String) -> String? {
        var camel = ""
        var isAfterUnderscore = false
        for character in path {
            if character.isUppercase { return nil }
            if isAfterUnderscore {
                guard character.isLetter else { return nil }
                camel += character.uppercased()
                isAfterUnderscore = false
            } else if character == "_" {
                isAfterUnderscore = true
            } else {
                camel.append(character)
            }
        }
        return isAfterUnderscore ? nil : camel
    }
}

extension JSONReader {
    /// Reads a string and makes a value of it.
    ///
    /// - Throws: ``ProtobufError`` at the string when `parse` gives nil.
    mutating func parsedString<Value>(
        _ expected: String, _ parse: (String) -> Value?
    ) throws(ProtobufError) -> Value {
        _ = try peek()
        let start = position
        guard input[position] == UInt8(ascii: "\"") else { throw unexpected(expected) }
        let text = try string()
        if let value = parse(text) { return value }
        position = start
        throw error(.invalidValue, "expected \(expected), found \"\(text)\"")
    }

    /// The key that tells the type of a `google.protobuf.Any`.
    static let typeKey = "@type"

    /// Looks for the type of a `google.protobuf.Any`, which may come anywhere in the object.
    ///
    /// - Returns: nil for an empty object, which has been read; else nothing has been read.
    mutating func typeOfAny() throws(ProtobufError) -> String? {
        _ = try peek()
        let start = position
        var url: String?
        var isEmpty = true
        try object { (key, reader) throws(ProtobufError) in
            isEmpty = false
            if key == Self.typeKey, url == nil {
                url = try reader.string()
            } else {
                try reader.skipValue()
            }
        }
        if isEmpty { return nil }
        position = start
        guard let url, !url.isEmpty else {
            throw error(.invalidValue, "expected an object with \"@type\", a type's URL")
        }
        return url
    }

    /// Reads an object in which `@type` is no unknown field.
    mutating func objectOfAny(
        _ body: (inout JSONReader) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        let outer = depthOfAny
        depthOfAny = depth - 1
        try body(&self)
        depthOfAny = outer
    }
}
