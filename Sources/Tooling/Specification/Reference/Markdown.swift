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
                fallback = code(shown(value))
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

    static func shown(_ json: JSON) -> String { json.scalarText ?? json.written() }
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

/// Reference for terminals from fields.
public enum PlainText {
    /// Fields aligned, each with its type, its default and its documentation.
    public static func table(_ fields: [Field]) -> String {
        HelpText.aligned(rows(fields, prefix: ""))
    }

    /// Rows of a name and a text, aligned and wrapped as help is.
    public static func aligned(_ rows: [(head: String, text: String)]) -> String {
        HelpText.aligned(rows)
    }

    /// Paragraphs broken as help is.
    public static func wrapped(_ text: String) -> String { HelpText.wrapped(text) }

    private static func rows(_ fields: [Field], prefix: String) -> [(head: String, text: String)] {
        fields.flatMap { field -> [(head: String, text: String)] in
            let key = field.name == "*" ? "(any other)" : prefix + field.key
            var text = "\(field.kind.prefix(1).uppercased())\(field.kind.dropFirst())"
            if field.isRequired { text += ", required" }
            text += ". " + field.sentence
            if let fallback = field.fallback {
                let shown = Markdown.shown(fallback)
                if !field.isSecret { text += " Default: \(shown.isEmpty ? "\"\"" : shown)." }
            } else if field.nested.isEmpty, let example = field.example {
                text += " Example: \(example.written())."
            }
            let inner = prefix + field.key + (field.isRepeated ? "[]." : ".")
            return [(key, text)] + rows(field.nested, prefix: inner)
        }
    }
}
