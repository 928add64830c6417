internal import Calendar

/// Writes an event as a JSON object ([RFC 8259](https://www.rfc-editor.org/rfc/rfc8259)):
/// `timestamp`, `level`, `logger`, `message`, and `metadata` where there is any.
enum JSONLine {
    static func line(_ event: LogEvent) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(256)
        out += "{\"timestamp\":\"".utf8
        out += CivilTime(microsecondsSinceEpoch: event.microseconds).rfc3339(.microseconds).utf8
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

/// Writes an event for people.
struct TextLine {
    var isColoured: Bool

    func line(_ event: LogEvent) -> [UInt8] {
        var text = CivilTime(microsecondsSinceEpoch: event.microseconds).rfc3339(.microseconds)
        text += " "
        let name = event.level.rawValue
        let padding = String(repeating: " ", count: max(0, 8 - name.count))
        text += coloured(name, colour(of: event.level)) + padding
        text += " " + Self.escaped(event.label) + ": " + Self.escaped(event.message)
        for (key, value) in event.sortedMetadata { append(key, value, to: &text) }
        text += "\n"
        return Array(text.utf8)
    }

    private func append(_ key: String, _ value: Logger.MetadataValue, to text: inout String) {
        if case .dictionary(let entries) = value, !entries.isEmpty {
            for (inner, value) in entries.sorted(by: { $0.key < $1.key }) {
                append("\(key).\(inner)", value, to: &text)
            }
        } else {
            text += " " + coloured(Self.plainKey(key) + "=", "2") + Self.quoted(value.description)
        }
    }

    private func coloured(_ text: String, _ code: String) -> String {
        isColoured ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }

    private func colour(of level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: "2"
        case .info: "32"
        case .notice: "36"
        case .warning: "33"
        case .error: "31"
        case .critical: "1;31"
        }
    }

    private static func plainKey(_ key: String) -> String {
        String(
            String.UnicodeScalarView(
                key.unicodeScalars.map { isPlain($0) ? $0 : "_" }))
    }

    private static func quoted(_ value: String) -> String {
        let isPlain = !value.isEmpty && value.unicodeScalars.allSatisfy(isPlain)
        return isPlain ? value : "\"\(escaped(value, escapesQuotes: true))\""
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        scalar != " " && scalar != "=" && scalar != "\"" && scalar != "\\" && !isControl(scalar)
    }

    private static func escaped(_ text: String, escapesQuotes: Bool = false) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\"" where escapesQuotes: result += "\\\""
            case "\\" where escapesQuotes: result += "\\\\"
            case _ where isControl(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// C0, DEL, C1, and what some viewers take for the end of a line or for a change of direction.
    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
