/// Writes JSON text on one line.
public struct JSONWriter: ~Copyable {
    private var output: [UInt8] = []
    /// Whether nothing has been written into the innermost object or array.
    private var isFresh = true
    public let options: JSONEncodingOptions

    public init(options: JSONEncodingOptions = .init()) {
        self.options = options
        output.reserveCapacity(512)
    }

    public consuming func finish() -> [UInt8] { output }

    /// Writes text as it is.
    public mutating func raw(_ text: String) { output.append(contentsOf: text.utf8) }

    /// Begins an object or array.
    public mutating func open(_ bracket: UInt8) {
        output.append(bracket)
        isFresh = true
    }

    /// Ends an object or array.
    public mutating func close(_ bracket: UInt8) {
        output.append(bracket)
        isFresh = false
    }

    /// To be called before each element of an array.
    public mutating func separate() {
        if !isFresh { output.append(UInt8(ascii: ",")) }
        isFresh = false
    }

    /// Begins a field of an object.
    @usableFromInline
    mutating func field(_ name: FieldName) {
        separate()
        output.append(UInt8(ascii: "\""))
        raw(options.preserveProtoFieldNames ? name.proto : name.json)
        raw("\":")
    }

    /// Begins an entry of an object whose keys are data.
    public mutating func key(_ text: String) {
        separate()
        string(text)
        output.append(UInt8(ascii: ":"))
    }

    public mutating func string(_ text: String) {
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                output.append(UInt8(ascii: "\\"))
                output.append(byte)
            case UInt8(ascii: "\n"): raw("\\n")
            case UInt8(ascii: "\r"): raw("\\r")
            case UInt8(ascii: "\t"): raw("\\t")
            case ..<0x20, 0x7F: raw((byte < 0x10 ? "\\u000" : "\\u00") + String(byte, radix: 16))
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// Writes an integer; 64-bit ones in quotes, since JavaScript's numbers cannot hold them.
    public mutating func integer<T: FixedWidthInteger>(_ value: T) {
        raw(T.bitWidth == 64 ? "\"\(value)\"" : "\(value)")
    }

    /// Writes the shortest text that reads back as the same number.
    public mutating func floatingPoint<T: BinaryFloatingPoint & CustomStringConvertible>(
        _ value: T
    ) {
        if value.isNaN {
            raw("\"NaN\"")
        } else if value.isInfinite {
            raw(value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
        } else {
            let text = value.description
            // "-0.0" keeps its sign: in "-0" some readers see an integer.
            raw(text.hasSuffix(".0") && text != "-0.0" ? String(text.dropLast(2)) : text)
        }
    }

    mutating func base64(_ bytes: [UInt8]) { raw("\"\(Base64.encode(bytes))\"") }
}

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
