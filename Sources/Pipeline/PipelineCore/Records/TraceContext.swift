internal import Calendar

/// Which request of a larger system a case belongs to, as `traceparent` of
/// [W3C's Trace Context](https://www.w3.org/TR/trace-context/#traceparent-header) says.
///
/// It comes with a request, in a header of its message or in its call's metadata, and goes with the
/// case to its announcement as it came: what happens to a case is no span of its own. What is not
/// valid is taken for nothing.
public struct TraceContext: Sendable, Hashable, CustomStringConvertible {
    /// The header's name, and the metadata's.
    public static let headerName = "traceparent"
    /// Longer values are taken for nothing.
    public static let maxBytes = 512
    private static let length = 55

    private var high: UInt64
    private var low: UInt64
    private var parent: UInt64
    private var flags: UInt8

    /// Reads a value; `nil` for one that is not valid. Later versions may say more, which is left
    /// out.
    public init?(ascii text: Span<UInt8>) {
        guard text.count >= Self.length, text.count <= Self.maxBytes,
            let version = Self.number(text, 0..<2), version != 0xFF,
            text.count == Self.length || version > 0 && text[Self.length] == UInt8(ascii: "-"),
            [2, 35, 52].allSatisfy({ text[$0] == UInt8(ascii: "-") }),
            let high = Self.number(text, 3..<19), let low = Self.number(text, 19..<35),
            let parent = Self.number(text, 36..<52), let flags = Self.number(text, 53..<55),
            high | low != 0, parent != 0
        else { return nil }
        self.high = high
        self.low = low
        self.parent = parent
        self.flags = UInt8(flags)
    }

    public init?(_ bytes: Bytes) { self.init(ascii: bytes.span) }

    public init?(_ text: String) { self.init(ascii: text.utf8.span) }

    /// Only lower-case digits are allowed.
    private static func number(_ text: borrowing Span<UInt8>, _ range: Range<Int>) -> UInt64? {
        var value: UInt64 = 0
        for index in range {
            switch text[index] {
            case let byte where byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"):
                value = value << 4 | UInt64(byte - UInt8(ascii: "0"))
            case let byte where byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "f"):
                value = value << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return value
    }

    /// 32 digits: what lines of the log are joined by.
    public var traceID: String { high.padded(to: 16, radix: 16) + low.padded(to: 16, radix: 16) }

    /// The header's value.
    public var description: String {
        "00-\(traceID)-\(parent.padded(to: 16, radix: 16))-\(UInt64(flags).padded(to: 2, radix: 16))"
    }

    /// The header.
    public var header: Header { Header(Self.headerName, description) }
}

extension Record {
    /// That of its headers; costs nothing for a record without headers.
    public var trace: TraceContext? {
        headers.isEmpty ? nil : header(TraceContext.headerName).flatMap { TraceContext($0) }
    }
}
