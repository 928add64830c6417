internal import LocatedJSON

/// Reference for terminals from fields.
public enum PlainText {
    /// The characters of a line.
    private static let width = 100
    /// The widest name that still has its text beside it.
    private static let widestHead = 32

    /// Fields aligned, each with its type, its default and its documentation.
    public static func table(_ fields: [Field]) -> String {
        aligned(rows(fields, prefix: ""))
    }

    /// Rows of a name and a text beside it, in columns.
    public static func aligned(_ rows: [(head: String, text: String)]) -> String {
        let heads = rows.map(\.head.count).filter { $0 <= widestHead }
        let column = (heads.max() ?? 0) + 4
        let indent = String(repeating: " ", count: column)
        return rows.map { row in
            let lines = lines(of: row.text, width: width - column)
            let text = lines.joined(separator: "\n" + indent)
            let head = "  \(row.head)"
            guard head.count + 2 <= column else { return "\(head)\n\(indent)\(text)" }
            return head + String(repeating: " ", count: column - head.count) + text
        }.joined(separator: "\n")
    }

    /// Paragraphs broken at the width; lines that begin with a space stay as they are.
    public static func wrapped(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map {
                $0.hasPrefix(" ")
                    ? String($0) : lines(of: String($0), width: width).joined(separator: "\n")
            }
            .joined(separator: "\n")
    }

    private static func lines(of text: String, width: Int) -> [String] {
        var lines = [""]
        for word in text.split(separator: " ") {
            let line = lines[lines.count - 1]
            if line.isEmpty {
                lines[lines.count - 1] = String(word)
            } else if line.count + 1 + word.count <= width {
                lines[lines.count - 1] = "\(line) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    private static func rows(_ fields: [Field], prefix: String) -> [(head: String, text: String)] {
        fields.flatMap { field -> [(head: String, text: String)] in
            let key = field.name == "*" ? "(any other)" : prefix + field.key
            var text = "\(field.kind.prefix(1).uppercased())\(field.kind.dropFirst())"
            if field.isRequired { text += ", required" }
            text += ". " + field.sentence
            if let fallback = field.fallback {
                let shown = fallback.plainText
                if !field.isSecret { text += " Default: \(shown.isEmpty ? "\"\"" : shown)." }
            } else if field.nested.isEmpty, let example = field.example {
                text += " Example: \(example.written())."
            }
            let inner = prefix + field.key + (field.isRepeated ? "[]." : ".")
            return [(key, text)] + rows(field.nested, prefix: inner)
        }
    }
}

/// Reference tables in Markdown from fields.
public enum Markdown {
    /// A table of fields, those of nested settings below their object by their path.
    public static func table(_ fields: [Field]) -> String {
        var text = "| key | type | default | what |\n|---|---|---|---|\n"
        for row in rows(fields, prefix: "") { text += "| \(row.joined(separator: " | ")) |\n" }
        return text
    }

    private static func rows(_ fields: [Field], prefix: String) -> [[String]] {
        fields.flatMap { field -> [[String]] in
            let key = field.name == "*" ? "(any other)" : code(prefix + field.key)
            let fallback: String
            if field.isRequired {
                fallback = "required"
            } else if let value = field.fallback, !field.isSecret {
                fallback = code(value.plainText)
            } else {
                fallback = ""
            }
            var what = field.sentence
            if let example = field.example, field.nested.isEmpty, field.example != field.fallback {
                what += " Example: \(code(example.written()))."
            }
            let row = [key, field.kind, fallback, what].map(escaped)
            let inner = prefix + field.key + (field.isRepeated ? "[]." : ".")
            return [row] + rows(field.nested, prefix: inner)
        }
    }

    private static func code(_ text: String) -> String { text.isEmpty ? "\"\"" : "`\(text)`" }

    private static func escaped(_ text: String) -> String {
        text.map { $0 == "|" ? "\\|" : $0 == "\n" ? " " : String($0) }.joined()
    }
}

extension Settings {
    /// A section of a reference: heading, summary, table.
    public static func markdown(heading: String, level: Int = 2) -> String {
        String(repeating: "#", count: level) + " \(heading)\n\n\(summary)\n\n"
            + Markdown.table(fields)
    }
}
