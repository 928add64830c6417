/// Writes an event as a JSON object ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)):
/// `timestamp`, `level`, `logger`, `message`, and `metadata` where there is any.
enum JSONLine {
    static func line(_ event: LogEvent) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        out += "{\"timestamp\":\"".utf8
        out += CivilTime(microseconds: event.microseconds).description.utf8
        out += "\",\"level\":\"".utf8
        out += event.level.rawValue.utf8
        out += "\",\"logger\":".utf8
        append(event.label, to: &out)
        out += ",\"message\":".utf8
        append(event.message, to: &out)
        if !event.metadata.isEmpty {
            out += ",\"metadata\":".utf8
            append(.dictionary(event.metadata), to: &out)
        }
        out += "}\n".utf8
        return out
    }

    private static func append(_ value: Logger.MetadataValue, to out: inout [UInt8]) {
        switch value {
        case .string(let text): append(text, to: &out)
        case .stringConvertible(let value): append(value, to: &out)
        case .dictionary(let entries):
            out.append(UInt8(ascii: "{"))
            for (index, entry) in entries.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(entry.key, to: &out)
                out.append(UInt8(ascii: ":"))
                append(entry.value, to: &out)
            }
            out.append(UInt8(ascii: "}"))
        case .array(let values):
            out.append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                append(value, to: &out)
            }
            out.append(UInt8(ascii: "]"))
        }
    }

    /// Numbers and truth values stay what they are, so that a log store can compare them.
    private static func append(
        _ value: any CustomStringConvertible & Sendable, to out: inout [UInt8]
    ) {
        switch value {
        case let number as any FixedWidthInteger: out += "\(number)".utf8
        case let number as Double where number.isFinite: out += "\(number)".utf8
        case let truth as Bool: out += "\(truth)".utf8
        default: append(value.description, to: &out)
        }
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): out += "\\\"".utf8
            case UInt8(ascii: "\\"): out += "\\\\".utf8
            case UInt8(ascii: "\n"): out += "\\n".utf8
            case UInt8(ascii: "\r"): out += "\\r".utf8
            case UInt8(ascii: "\t"): out += "\\t".utf8
            case 0..<0x20, 0x7F:
                out += "\\u00".utf8
                out.append(hexDigit(byte >> 4))
                out.append(hexDigit(byte & 0xF))
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
