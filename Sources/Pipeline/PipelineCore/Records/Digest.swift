internal import Calendar

/// 128 bits that identify content: SipHash-2-4 with 128-bit output under a fixed key
/// ([reference](https://github.com/veorq/SipHash)).
///
/// Not a defence against somebody who wants two requests to collide: such a person only harms a
/// case of their own.
public struct Digest: Sendable, Hashable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The digest of `bytes`.
    public init(of bytes: borrowing RawSpan) {
        self.init(of: bytes, key: (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908))
    }

    /// The digest of `bytes`.
    public init(of bytes: Bytes) { self.init(of: unsafe bytes.span.bytes) }

    /// 32 digits.
    public var hexadecimal: String {
        [high, low].map { $0.padded(to: 16, radix: 16) }.joined()
    }

    init(of bytes: borrowing RawSpan, key: (UInt64, UInt64)) {
        var state = SipState(key: key)
        let count = bytes.byteCount
        var at = 0
        while at + 8 <= count {
            let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self)
            state.absorb(UInt64(littleEndian: word))
            at += 8
        }
        var last = UInt64(count & 0xFF) << 56
        var shift: UInt64 = 0
        while at < count {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: at, as: UInt8.self)
            last |= UInt64(byte) << shift
            shift += 8
            at += 1
        }
        state.absorb(last)
        (low, high) = state.finish()
    }
}

private struct SipState {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    init(key: (UInt64, UInt64)) {
        v0 = key.0 ^ 0x736f_6d65_7073_6575
        v1 = key.1 ^ 0x646f_7261_6e64_6f6d ^ 0xEE
        v2 = key.0 ^ 0x6c79_6765_6e65_7261
        v3 = key.1 ^ 0x7465_6462_7974_6573
    }

    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    mutating func finish() -> (UInt64, UInt64) {
        v2 ^= 0xEE
        for _ in 0..<4 { round() }
        let first = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xDD
        for _ in 0..<4 { round() }
        return (first, v0 ^ v1 ^ v2 ^ v3)
    }

    private mutating func round() {
        v0 = v0 &+ v1
        v1 = v1 << 13 | v1 >> 51
        v1 ^= v0
        v0 = v0 << 32 | v0 >> 32
        v2 = v2 &+ v3
        v3 = v3 << 16 | v3 >> 48
        v3 ^= v2
        v0 = v0 &+ v3
        v3 = v3 << 21 | v3 >> 43
        v3 ^= v0
        v2 = v2 &+ v1
        v1 = v1 << 17 | v1 >> 47
        v1 ^= v2
        v2 = v2 << 32 | v2 >> 32
    }
}
