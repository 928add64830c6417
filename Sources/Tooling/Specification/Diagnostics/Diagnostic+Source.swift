extension Diagnostic {
    /// The widest piece of a line that is shown; a file may be one long line.
    private static let widest = 160

    /// The line, and below it the text it is about with a caret under the place.
    func text(in lines: [Substring]?, _ paint: Paint) -> String {
        let own = line(paint) + "\n"
        guard let lines, let position, lines.indices.contains(position.line - 1)
        else { return own }
        let (shown, indent) = Self.piece(of: lines[position.line - 1], around: position.column - 1)
        let number = String(position.line)
        let margin = String(repeating: " ", count: number.count)
        return own + paint.faint("  \(number) | ") + shown + "\n"
            + paint.faint("  \(margin) | ") + indent + paint("^", as: severity) + "\n"
    }

    /// What is shown of a line, and the blanks before the caret.
    private static func piece(of line: Substring, around column: Int) -> (String, String) {
        // A control character would be the terminal's to obey.
        var scalars = line.unicodeScalars.prefix { $0 != "\r" }.map {
            $0 == "\t" || $0.properties.generalCategory != .control ? $0 : "\u{FFFD}"
        }
        var before = min(column, scalars.count)
        var lead = ""
        if before > widest / 2, scalars.count > widest {
            let cut = min(before - widest / 2, scalars.count - widest)
            scalars.removeFirst(cut)
            before -= cut
            lead = "…"
        }
        let isCut = scalars.count > widest
        let text = lead + String(String.UnicodeScalarView(scalars.prefix(widest)))
        // Tabs stay tabs, so that the caret stands where the terminal put the character.
        let blanks = scalars.prefix(before).map { $0 == "\t" ? "\t" : " " }.joined()
        return (text + (isCut ? "…" : ""), (lead.isEmpty ? "" : " ") + blanks)
    }
}

/// Colours text for a terminal, or leaves it as it is.
struct Paint {
    let isOn: Bool

    func callAsFunction(_ text: String, as severity: Diagnostic.Severity) -> String {
        switch severity {
        case .error: wrapped(text, "1;31")
        case .warning: wrapped(text, "1;33")
        case .note: wrapped(text, "1;36")
        }
    }

    func faint(_ text: String) -> String { wrapped(text, "2") }

    private func wrapped(_ text: String, _ attributes: String) -> String {
        isOn ? "\u{1B}[\(attributes)m\(text)\u{1B}[0m" : text
    }
}
