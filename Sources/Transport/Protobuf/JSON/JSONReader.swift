/// A strict pull reader of JSON text over borrowed bytes.
///
/// [RFC 8259](https://www.rfc-editor.org/rfc/rfc8259) without leniency: no comments, no trailing
/// commas, no control characters in strings, no lone surrogates, nothing after the value.
public struct JSONReader: ~Copyable, ~Escapable {
    let input: Span<UInt8>
    var position = 0
    /// How many more objects and arrays may be nested.
    var depth: Int
    /// The `depth` within an object that is a `google.protobuf.Any`.
    var depthOfAny: Int?
    public let options: JSONDecodingOptions

    @_lifetime(copy input)
    public init(_ input: Span<UInt8>, options: JSONDecodingOptions = .init()) {
        self.input = input
        self.options = options
        depth = options.messageDepthLimit
    }

    /// An error where the reader stands.
    public func error(_ code: ProtobufError.Code, _ message: String) -> ProtobufError {
        ProtobufError(code, message, offset: position)
    }

    /// "expected …, found …" where the reader stands.
    public func unexpected(_ expected: String) -> ProtobufError {
        let found: String
        let code: ProtobufError.Code
        switch position < input.count ? input[position] : nil {
        case nil: (code, found) = (.truncated, "the end of the text")
        case UInt8(ascii: "{"): (code, found) = (.invalidValue, "an object")
        case UInt8(ascii: "["): (code, found) = (.invalidValue, "an array")
        case UInt8(ascii: "\""): (code, found) = (.invalidValue, "a string")
        case UInt8(ascii: "t"), UInt8(ascii: "f"): (code, found) = (.invalidValue, "a boolean")
        case UInt8(ascii: "n"): (code, found) = (.invalidValue, "null")
        case let byte? where byte == UInt8(ascii: "-") || byte &- 0x30 < 10:
            (code, found) = (.invalidValue, "a number")
        case let byte? where byte > 0x20 && byte < 0x7F:
            (code, found) = (.malformedJSON, "'\(Character(UnicodeScalar(byte)))'")
        case let byte?:
            (code, found) = (.malformedJSON, "the byte 0x\(String(byte, radix: 16))")
        }
        return error(code, "expected \(expected), found \(found)")
    }

    /// The next byte that is no white space, not consumed.
    ///
    /// - Throws: ``ProtobufError`` with the code `truncated` at the end of the text.
    public mutating func peek() throws(ProtobufError) -> UInt8 {
        guard let byte = skipSpace() else { throw error(.truncated, "the text ends too early") }
        return byte
    }

    private mutating func skipSpace() -> UInt8? {
        while position < input.count {
            switch input[position] {
            case 0x20, 0x0A, 0x0D, 0x09: position &+= 1
            case let byte: return byte
            }
        }
        return nil
    }

    /// Checks that nothing follows the value.
    public mutating func finish() throws(ProtobufError) {
        if skipSpace() != nil { throw error(.malformedJSON, "there is text after the value") }
    }

    mutating func take(_ byte: UInt8) throws(ProtobufError) -> Bool {
        guard try peek() == byte else { return false }
        position &+= 1
        return true
    }

    private mutating func expect(_ byte: UInt8, _ name: String) throws(ProtobufError) {
        guard try take(byte) else { throw unexpected(name) }
    }

    /// Consumes a literal, if it is next.
    public mutating func literal(_ text: StaticString) throws(ProtobufError) -> Bool {
        _ = try peek()
        let text = "\(text)".utf8
        guard input.count - position >= text.count else { return false }
        var index = position
        for byte in text {
            guard input[index] == byte else { return false }
            index &+= 1
        }
        position = index
        return true
    }

    private mutating func items(
        from open: UInt8, to close: UInt8, _ expected: (start: String, end: String),
        _ item: (inout JSONReader) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        try expect(open, expected.start)
        guard depth > 0 else {
            throw error(.tooDeep, "nested deeper than \(options.messageDepthLimit) levels")
        }
        depth -= 1
        if try !take(close) {
            repeat { try item(&self) } while try take(UInt8(ascii: ","))
            try expect(close, expected.end)
        }
        depth += 1
    }

    /// Reads an object; `body` is to read the value of each key it is given.
    public mutating func object(
        _ body: (String, inout JSONReader) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        try items(
            from: UInt8(ascii: "{"), to: UInt8(ascii: "}"), ("an object", "',' or '}'")
        ) { (reader) throws(ProtobufError) in
            guard try reader.peek() == UInt8(ascii: "\"") else {
                throw reader.unexpected("a name in quotes")
            }
            let key = try reader.string()
            try reader.expect(UInt8(ascii: ":"), "':'")
            try body(key, &reader)
        }
    }

    /// Reads an array; `body` is to read each element.
    public mutating func array(
        _ body: (inout JSONReader) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        try items(
            from: UInt8(ascii: "["), to: UInt8(ascii: "]"), ("an array", "',' or ']'"), body)
    }

    public mutating func bool() throws(ProtobufError) -> Bool {
        if try literal("true") { return true }
        if try literal("false") { return false }
        throw unexpected("true or false")
    }

    /// Reads any value and drops it.
    public mutating func skipValue() throws(ProtobufError) {
        switch try peek() {
        case UInt8(ascii: "{"):
            try object { (_, reader) throws(ProtobufError) in try reader.skipValue() }
        case UInt8(ascii: "["):
            try array { (reader) throws(ProtobufError) in try reader.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        case UInt8(ascii: "t"), UInt8(ascii: "f"): _ = try bool()
        case UInt8(ascii: "n"): guard try literal("null") else { throw unexpected("a value") }
        default: _ = try number()
        }
    }

    @usableFromInline
    mutating func skipUnknown<M: Message>(_ key: String, of _: M.Type) throws(ProtobufError) {
        let isTypeOfAny = key == Self.typeKey && depth == depthOfAny
        guard options.ignoreUnknownFields || isTypeOfAny else {
            let known = M.fields.protoNames.joined(separator: ", ")
            throw error(
                .unknownField,
                "unknown field \"\(key)\"; \(M.protoMessageName) has "
                    + (known.isEmpty ? "no fields" : known))
        }
        try skipValue()
    }
}

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
