/// Text broken at a width.
enum Paragraph {
    /// What follows a number and stays on its line.
    private static let units: Set<Substring> = [
        "µs", "ms", "s", "min", "h", "d", "%", "×", "cases", "runs", "messages",
    ]

    /// - Parameters:
    ///   - first: What the first line begins with.
    ///   - indent: What the others begin with.
    static func lines(
        _ text: String, width: Int, first: String = "", indent: String = ""
    ) -> [String] {
        var lines: [String] = []
        var line = first
        var isEmpty = true
        for word in words(of: text) {
            if isEmpty {
                line += word
            } else if line.count + 1 + word.count <= width {
                line += " " + word
            } else {
                lines.append(line)
                line = indent + word
            }
            isEmpty = false
        }
        return lines + [line]
    }

    /// The text with spaces that do not break between numbers and their units.
    static func glued(_ text: String) -> String {
        words(of: text).map { $0.split(separator: " ").joined(separator: "\u{A0}") }
            .joined(separator: " ")
    }

    /// Words, a number and its unit as one: `12 h`.
    private static func words(of text: String) -> [String] {
        var words: [String] = []
        for word in text.split(separator: " ") {
            let unit = word.prefix { $0 != ";" && $0 != ":" && $0 != "," && $0 != ")" }
            if let last = words.last?.last, last.isNumber, units.contains(unit) {
                words[words.count - 1] += " " + word
            } else {
                words.append(String(word))
            }
        }
        return words
    }
}
