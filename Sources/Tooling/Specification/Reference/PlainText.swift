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
