/// Writes the binary format in one pass: the length of a nested message is patched in once it is
/// known.
///
/// [Encoding](https://protobuf.dev/programming-guides/encoding/)
public struct BinaryWriter: ~Copyable {
    /// The bytes written, then zeros that make room for more. Writing in place, once the room is
    /// known to be there, takes two thirds of the time of appending byte by byte.
    @usableFromInline var storage: [UInt8]
    /// How many bytes of `storage` are written.
    @usableFromInline var count: Int
    /// Where the message starts in `storage`.
    @usableFromInline let start: Int

    /// - Parameter capacity: Bytes to set aside; the default fits a report.
    @inlinable
    public init(capacity: Int = 256) {
        storage = [UInt8](repeating: 0, count: capacity)
        count = 0
        start = 0
    }

    /// Writes behind `bytes`.
    @inlinable
    public init(appendingTo bytes: consuming [UInt8]) {
        count = bytes.count
        start = bytes.count
        storage = bytes
    }

    /// The bytes written, behind those the writer was given.
    ///
    /// - Throws: ``ProtobufError`` with the code `unencodable` when the message exceeds 2 GiB.
    @inlinable
    public consuming func finish() throws(ProtobufError) -> [UInt8] {
        guard count &- start <= Int(Int32.max) else {
            throw ProtobufError(.unencodable, "a message of more than 2 GiB")
        }
        storage.removeLast(storage.count &- count)
        return storage
    }

    @inlinable
    mutating func reserve(_ room: Int) {
        if storage.count &- count < room { grow(room) }
    }

    @usableFromInline
    mutating func grow(_ room: Int) {
        // In proportion to this message, not to what it is appended to: else a message behind many
        // others would cost as much as all of them.
        let wanted = max(room, count &- start, 256)
        storage.append(contentsOf: repeatElement(0, count: wanted))
    }

    @inlinable
    mutating func varint(_ value: UInt64) {
        guard value < 0x80 else { return longVarint(value) }
        reserve(1)
        storage[count] = UInt8(truncatingIfNeeded: value)
        count &+= 1
    }

    @usableFromInline
    mutating func longVarint(_ value: UInt64) {
        reserve(10)
        var position = count
        var target = storage.mutableSpan
        var rest = value
        while rest >= 0x80 {
            target[position] = UInt8(truncatingIfNeeded: rest) | 0x80
            position &+= 1
            rest >>= 7
        }
        target[position] = UInt8(truncatingIfNeeded: rest)
        count = position &+ 1
    }

    @inlinable
    mutating func fixed<Bits: FixedWidthInteger>(_ value: Bits) {
        reserve(8)
        let position = count
        var target = storage.mutableSpan
        for index in 0..<MemoryLayout<Bits>.size {
            target[position &+ index] = UInt8(truncatingIfNeeded: value &>> Bits(8 &* index))
        }
        count = position &+ MemoryLayout<Bits>.size
    }

    @inlinable
    mutating func tag(_ number: Int, _ type: WireType) {
        varint(UInt64(number &<< 3 | Int(type.rawValue)))
    }

    @inlinable
    mutating func delimited(_ bytes: Span<UInt8>) {
        varint(UInt64(bytes.count))
        reserve(bytes.count)
        let position = count
        var target = storage.mutableSpan
        for index in bytes.indices { target[position &+ index] = bytes[index] }
        count = position &+ bytes.count
    }

    /// Leaves room for a length of one byte.
    ///
    /// - Returns: What `endDelimited` is to be given.
    @inlinable
    mutating func beginDelimited() -> Int {
        reserve(1)
        count &+= 1
        return count
    }

    /// Writes the length of what came since `beginDelimited`, moving it when the length needs more
    /// than a byte.
    @inlinable
    mutating func endDelimited(_ start: Int) {
        let length = count &- start
        if length < 0x80 {
            storage[start &- 1] = UInt8(truncatingIfNeeded: length)
        } else {
            insertLength(length, at: start)
        }
    }

    @usableFromInline
    mutating func insertLength(_ length: Int, at start: Int) {
        let extra = (length.bitWidth - length.leadingZeroBitCount + 6) / 7 - 1
        storage.insert(contentsOf: repeatElement(0, count: extra), at: start)
        let end = count + extra
        count = start - 1
        varint(UInt64(length))
        count = end
    }
}

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
