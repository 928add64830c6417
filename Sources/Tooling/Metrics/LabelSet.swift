/// The labels of one metric, sorted by name and written out once.
struct LabelSet: Sendable, Hashable, Comparable {
    /// `method="GET",path="/"`; empty without labels.
    let text: String

    /// Traps when a name is malformed, reserved or repeated.
    init(_ labels: [(String, String)], reserved: String?) {
        let sorted = labels.sorted { $0.0 < $1.0 }
        for (index, label) in sorted.enumerated() {
            precondition(
                Self.isName(label.0, allowsColon: false) && !label.0.hasPrefix("__")
                    && label.0 != reserved, "not a label's name: \(label.0)")
            precondition(
                index == 0 || sorted[index - 1].0 != label.0, "two labels named \(label.0)")
        }
        text = sorted.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
    }

    /// The labels in braces, with one more if given.
    func braced(adding extra: (name: String, value: String)? = nil) -> String {
        guard let extra else { return text.isEmpty ? "" : "{\(text)}" }
        return "{\(text)\(text.isEmpty ? "" : ",")\(extra.name)=\"\(Self.escaped(extra.value))\"}"
    }

    static func < (a: LabelSet, b: LabelSet) -> Bool { a.text < b.text }

    /// `[a-zA-Z_][a-zA-Z0-9_]*`, for metrics with colons.
    static func isName(_ name: String, allowsColon: Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x5F, 0x61...0x7A: true
            case UInt8(ascii: ":"): allowsColon
            default: false
            }
        }
    }

    private static func escaped(_ value: String) -> String {
        var escaped = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
