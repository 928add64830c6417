/// Writes an event for people.
struct TextLine {
    var isColoured: Bool

    func line(_ event: LogEvent) -> [UInt8] {
        var text = CivilTime(microseconds: event.microseconds).description
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
