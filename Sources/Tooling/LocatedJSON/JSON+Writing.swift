extension JSON {
    /// How a value is laid out.
    public enum Layout: Sendable {
        /// On one line, without spaces.
        case compact
        /// A member a line, two spaces a level; lists and objects that fit stay on their line.
        case pretty
    }

    /// The value as JSON text, without a final newline.
    public func written(_ layout: Layout = .compact) -> String {
        var writer = JSONWriter(layout: layout)
        writer.write(self, indent: 0)
        return writer.text
    }

    /// A scalar as it would be written on a command line, everything else as compact JSON text.
    public var plainText: String { scalarText ?? written() }

    /// A string as JSON writes it, quotes included.
    public static func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}

extension JSON: CustomStringConvertible {
    /// The value as compact JSON text.
    public var description: String { written() }
}

private struct JSONWriter {
    /// The widest line a list or an object may share.
    static let sharedLine = 80

    let layout: JSON.Layout
    var text = ""

    mutating func write(_ json: JSON, indent: Int) {
        switch json.value {
        case .null: text += "null"
        case .bool(let bool): text += bool ? "true" : "false"
        case .number(let number): text += number
        case .string(let string): text += JSON.quoted(string)
        case .array(let items):
            if let line = oneLine(json, indent) {
                text += line
                return
            }
            list("[", "]", items, indent) { writer, item in writer.write(item, indent: indent + 1) }
        case .object(let members):
            if let line = oneLine(json, indent) {
                text += line
                return
            }
            let separator = layout == .compact ? ":" : ": "
            list("{", "}", members, indent) { writer, member in
                writer.text += JSON.quoted(member.key) + separator
                writer.write(member.value, indent: indent + 1)
            }
        }
    }

    private mutating func list<Item>(
        _ open: String, _ close: String, _ items: [Item], _ indent: Int,
        _ body: (inout JSONWriter, Item) -> Void
    ) {
        text += open
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            newLine(indent + 1)
            body(&self, item)
        }
        if !items.isEmpty { newLine(indent) }
        text += close
    }

    private mutating func newLine(_ indent: Int) {
        guard layout == .pretty else { return }
        text += "\n" + String(repeating: "  ", count: indent)
    }

    /// A list of scalars, or an object of them, when it fits on a line.
    private func oneLine(_ json: JSON, _ indent: Int) -> String? {
        guard layout == .pretty else { return nil }
        var line: String
        switch json.value {
        case .array(let items):
            guard items.allSatisfy({ $0.items == nil && $0.members == nil }) else { return nil }
            line = "[" + items.map { $0.written() }.joined(separator: ", ") + "]"
        case .object(let members):
            guard members.allSatisfy({ $0.value.members == nil && $0.value.items == nil }) else {
                return nil
            }
            if members.isEmpty { return "{}" }
            line = members.map { JSON.quoted($0.key) + ": " + $0.value.written() }
                .joined(separator: ", ")
            line = "{ \(line) }"
        default: return nil
        }
        return line.count + indent * 2 <= Self.sharedLine ? line : nil
    }
}
