extension Diagnostics {
    /// What diagnostics are printed for.
    public enum Format: String, Choice {
        /// For people.
        case text
        /// For programs.
        case json
        /// For GitHub, which shows them at the lines of a change.
        case github
    }

    /// The findings in a format, with a final newline unless there are none.
    ///
    /// - Parameters:
    ///   - source: The text they were found in; given, each is followed by its line and a caret.
    public func rendered(as format: Format, source: String? = nil) -> String {
        switch format {
        case .text: text(source.map { $0.split(separator: "\n", omittingEmptySubsequences: false) })
        case .json: json.written(.pretty) + "\n"
        case .github: list.map { $0.githubAnnotation + "\n" }.joined()
        }
    }

    /// The findings as a value: `{"diagnostics": [{"file", "line", "column", …}]}`.
    public var json: JSON { ["diagnostics": .array(list.map(\.json))] }

    private func text(_ lines: [Substring]?) -> String {
        list.map { diagnostic in
            var text = diagnostic.description + "\n"
            guard let lines, let position = diagnostic.position,
                lines.indices.contains(position.line - 1)
            else { return text }
            let line = lines[position.line - 1].unicodeScalars.prefix { $0 != "\r" }
            let number = String(position.line)
            let margin = String(repeating: " ", count: number.count)
            // Tabs stay tabs, so that the caret stands where the terminal put the character.
            let indent = line.prefix(position.column - 1).map { $0 == "\t" ? "\t" : " " }.joined()
            text += "  \(number) | \(String(line))\n  \(margin) | \(indent)^\n"
            return text
        }.joined()
    }
}

extension Diagnostic {
    /// The finding as a value; what is not known is left out.
    public var json: JSON {
        var members: [(String, JSON)] = []
        if let file { members.append(("file", .string(file))) }
        if let position {
            members.append(("line", .number(position.line)))
            members.append(("column", .number(position.column)))
        }
        if let path { members.append(("path", .string(path.description))) }
        members.append(("code", .string(code.rawValue)))
        members.append(("severity", .string(severity.rawValue)))
        members.append(("message", .string(message)))
        if let hint { members.append(("hint", .string(hint))) }
        return .object(members)
    }

    /// A workflow command, see
    /// [GitHub's reference](https://docs.github.com/actions/reference/workflow-commands-for-github-actions).
    var githubAnnotation: String {
        var properties: [String] = []
        if let file { properties.append("file=" + Self.escaped(file, isProperty: true)) }
        if let position {
            properties.append("line=\(position.line)")
            properties.append("col=\(position.column)")
        }
        properties.append("title=" + Self.escaped(code.rawValue, isProperty: true))
        var text = path.map { "\($0): " } ?? ""
        text += message
        if let hint { text += "; \(hint)" }
        return "::\(severity.rawValue) \(properties.joined(separator: ","))::"
            + Self.escaped(text, isProperty: false)
    }

    private static func escaped(_ text: String, isProperty: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "%": escaped += "%25"
            case "\r": escaped += "%0D"
            case "\n": escaped += "%0A"
            case ":" where isProperty: escaped += "%3A"
            case "," where isProperty: escaped += "%2C"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
