public import LocatedJSON

extension Diagnostics {
    /// What diagnostics are printed for.
    public enum Format: String, Sendable, CaseIterable {
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
    ///   - colours: Whether text is coloured, with
    ///     [ECMA-48](https://ecma-international.org/publications-and-standards/standards/ecma-48/)'s
    ///     sequences.
    public func rendered(
        as format: Format, source: String? = nil, colours: Bool = false
    ) -> String {
        switch format {
        case .text:
            let lines = source?.split(separator: "\n", omittingEmptySubsequences: false)
            return list.map { $0.text(in: lines, Paint(isOn: colours)) }.joined()
        case .json: return json.written(.pretty) + "\n"
        case .github: return list.map { $0.githubAnnotation + "\n" }.joined()
        }
    }

    /// The findings as a value: `{"diagnostics": [{"file", "line", "column", …}]}`.
    public var json: JSON { ["diagnostics": .array(list.map(\.json))] }

    /// How many there are of each severity: `2 errors, 1 warning`.
    public var tally: String {
        Diagnostic.Severity.allCases.compactMap { severity in
            let count = list.count { $0.severity == severity }
            return count == 0 ? nil : "\(count) \(severity.rawValue)\(count == 1 ? "" : "s")"
        }.joined(separator: ", ")
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
        let command = severity == .note ? "notice" : severity.rawValue
        return "::\(command) \(properties.joined(separator: ","))::"
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
