internal import LocatedJSON

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
