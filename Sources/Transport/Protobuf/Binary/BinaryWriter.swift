/// Writes the binary format in one pass: the length of a nested message is patched in once it is
/// known.
///
/// [Encoding](https://protobuf.dev/programming-guides/encoding/)
public struct BinaryWriter: ~Copyable {
    @usableFromInline var output: [UInt8]
    /// Where the message starts in `output`.
    @usableFromInline let start: Int

    /// - Parameter capacity: Bytes to set aside; the default fits a report.
    @inlinable
    public init(capacity: Int = 256) {
        output = []
        output.reserveCapacity(capacity)
        start = 0
    }

    /// Writes behind `bytes`.
    @inlinable
    public init(appendingTo bytes: consuming [UInt8]) {
        start = bytes.count
        output = bytes
    }

    /// The bytes written, behind those the writer was given.
    ///
    /// - Throws: ``ProtobufError`` with the code `unencodable` when the message exceeds 2 GiB.
    @inlinable
    public consuming func finish() throws(ProtobufError) -> [UInt8] {
        guard output.count &- start <= Int(Int32.max) else {
            throw ProtobufError(.unencodable, "a message of more than 2 GiB")
        }
        return output
    }

    @inlinable
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }

    @inlinable
    mutating func fixed<Bits: FixedWidthInteger>(_ value: Bits) {
        for index in 0..<MemoryLayout<Bits>.size {
            output.append(UInt8(truncatingIfNeeded: value &>> Bits(8 &* index)))
        }
    }

    @inlinable
    mutating func tag(_ number: Int, _ type: WireType) {
        varint(UInt64(number &<< 3 | Int(type.rawValue)))
    }

    @inlinable
    mutating func delimited(_ text: String) {
        varint(UInt64(text.utf8.count))
        output.append(contentsOf: text.utf8)
    }

    @inlinable
    mutating func delimited(_ bytes: [UInt8]) {
        varint(UInt64(bytes.count))
        output.append(contentsOf: bytes)
    }

    /// Leaves room for a length of one byte.
    ///
    /// - Returns: What `endDelimited` is to be given.
    @inlinable
    mutating func beginDelimited() -> Int {
        output.append(0)
        return output.count
    }

    /// Writes the length of what came since `beginDelimited`, moving it when the length needs more
    /// than a byte.
    @inlinable
    mutating func endDelimited(_ start: Int) {
        let length = output.count &- start
        if length < 0x80 {
            output[start &- 1] = UInt8(truncatingIfNeeded: length)
        } else {
            insertLength(length, at: start)
        }
    }

    @usableFromInline
    mutating func insertLength(_ length: Int, at start: Int) {
        output[start - 1] = UInt8(truncatingIfNeeded: length) | 0x80
        var rest = length >> 7
        if rest < 0x80 {
            output.insert(UInt8(rest), at: start)
            return
        }
        var bytes: [UInt8] = []
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
        output.insert(contentsOf: bytes, at: start)
    }
}
