/// Reads the binary format from borrowed bytes, front to back, without copying or allocating.
///
/// [Encoding](https://protobuf.dev/programming-guides/encoding/)
public struct BinaryReader: ~Copyable, ~Escapable {
    @usableFromInline let input: Span<UInt8>
    @usableFromInline var position = 0
    /// Where the message, or the packed run of values, that is being read ends.
    @usableFromInline var end: Int
    /// How many more messages may be nested.
    @usableFromInline var depth = 100
    /// The number of the field being read.
    @usableFromInline var number = 0
    /// The wire type of the field being read.
    @usableFromInline var wireType = WireType.varint

    @inlinable
    @_lifetime(copy input)
    public init(_ input: Span<UInt8>) {
        self.input = input
        end = input.count
    }

    @usableFromInline
    func error(_ code: ProtobufError.Code, _ message: String) -> ProtobufError {
        ProtobufError(code, message, offset: position)
    }

    @usableFromInline
    func truncated() -> ProtobufError { error(.truncated, "the input ends within a value") }

    @usableFromInline
    func tooDeep() -> ProtobufError { error(.tooDeep, "more than 100 messages are nested") }

    @inlinable
    mutating func byte() throws(ProtobufError) -> UInt8 {
        guard position < end else { throw truncated() }
        let byte = input[position]
        position &+= 1
        return byte
    }

    @inlinable
    mutating func varint() throws(ProtobufError) -> UInt64 {
        let first = try byte()
        return first < 0x80 ? UInt64(first) : try longVarint(UInt64(first & 0x7F))
    }

    @usableFromInline
    mutating func longVarint(_ first: UInt64) throws(ProtobufError) -> UInt64 {
        var value = first
        var shift: UInt64 = 7
        while shift < 64 {
            let next = try byte()
            // The tenth byte has room for one bit. Laxer decoders drop the others, silently.
            if shift == 63, next > 1 { break }
            value |= UInt64(next & 0x7F) &<< shift
            if next < 0x80 { return value }
            shift &+= 7
        }
        throw error(.malformedBinary, "a variable-length number exceeds 64 bits")
    }

    @inlinable
    mutating func fixed<Bits: FixedWidthInteger & UnsignedInteger>(
        _: Bits.Type
    ) throws(ProtobufError) -> Bits {
        let size = MemoryLayout<Bits>.size
        guard end &- position >= size else { throw truncated() }
        var value: Bits = 0
        for index in 0..<size {
            value |= Bits(truncatingIfNeeded: input[position &+ index]) &<< Bits(8 &* index)
        }
        position &+= size
        return value
    }

    /// The length of a length-delimited value; that many bytes are there.
    @inlinable
    mutating func length() throws(ProtobufError) -> Int {
        let length = try varint()
        guard length <= UInt64(end &- position) else { throw truncated() }
        return Int(length)
    }

    @inlinable
    mutating func string() throws(ProtobufError) -> String {
        let length = try length()
        do {
            let text = try UTF8Span(validating: input.extracting(position..<position &+ length))
            position &+= length
            return String(copying: text)
        } catch {
            throw self.error(.invalidUTF8, "a string is no UTF-8")
        }
    }

    @inlinable
    mutating func bytes() throws(ProtobufError) -> [UInt8] {
        let length = try length()
        let bytes = input.extracting(position..<position &+ length)
        position &+= length
        return [UInt8](copying: bytes)
    }

    /// Reads a tag.
    ///
    /// - Returns: The field's number; nil at the end of the message.
    @inlinable
    mutating func nextField() throws(ProtobufError) -> Int? {
        guard position < end else { return nil }
        let start = position
        let tag = try varint()
        guard position &- start <= 5, tag >= 8, tag <= UInt64(UInt32.max),
            let type = WireType(rawValue: UInt8(tag & 7))
        else { throw error(.malformedBinary, "a field has an invalid tag") }
        wireType = type
        number = Int(tag >> 3)
        return number
    }

    /// The text of a message's field, found without reading the others: the last one, as everywhere
    /// where a field comes twice. Nil where there is none.
    ///
    /// - Throws: What reading the message would throw, for what is looked at.
    public mutating func text(ofField wanted: Int) throws(ProtobufError) -> String? {
        var found: String?
        while let number = try nextField() {
            if number == wanted, wireType == .lengthDelimited {
                found = try string()
            } else {
                try skipField()
            }
        }
        return found
    }

    /// Runs `body` with the reader limited to the length-delimited value that follows.
    @inlinable
    mutating func delimited(
        _ body: (inout BinaryReader) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        let length = try length()
        guard depth > 0 else { throw tooDeep() }
        let outerEnd = end
        depth &-= 1
        end = position &+ length
        try body(&self)
        end = outerEnd
        depth &+= 1
    }

    /// Skips the value of the field whose tag has been read.
    @usableFromInline
    mutating func skipField() throws(ProtobufError) {
        switch wireType {
        case .varint: _ = try varint()
        case .fixed32: _ = try fixed(UInt32.self)
        case .fixed64: _ = try fixed(UInt64.self)
        case .lengthDelimited: position += try length()
        case .startGroup: try skipGroup(number)
        case .endGroup: throw error(.malformedBinary, "a group ends that did not begin")
        }
    }

    private mutating func skipGroup(_ group: Int) throws(ProtobufError) {
        guard depth > 0 else { throw tooDeep() }
        depth -= 1
        while true {
            guard let inner = try nextField() else { throw truncated() }
            if wireType == .endGroup, inner == group { break }
            try skipField()
        }
        depth += 1
    }
}

extension [UInt8] {
    /// Copies borrowed bytes.
    @usableFromInline
    init(copying bytes: Span<UInt8>) {
        self.init(capacity: bytes.count) { output in
            for index in bytes.indices { output.append(bytes[index]) }
        }
    }
}

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

/// How a field's value is laid out, told by the low three bits of its tag.
/// [Encoding](https://protobuf.dev/programming-guides/encoding/#structure)
public enum WireType: UInt8, Sendable {
    case varint = 0
    case fixed64
    case lengthDelimited
    case startGroup
    case endGroup
    case fixed32
}
