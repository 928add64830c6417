extension Command {
    /// The help text: summary, usage, arguments and options aligned, examples.
    ///
    /// - Parameters:
    ///   - line: What has to be typed to reach the command: `penstock run`.
    public func help(as line: String) -> String {
        var sections = [summary]
        if let details { sections.append(HelpText.wrapped(details)) }
        sections.append("Usage: " + usage(line))
        if !commands.isEmpty {
            let rows = commands.map { (head: $0.name, text: $0.summary) }
            sections.append("Commands:\n" + HelpText.aligned(rows))
        }
        let arguments = fields.filter { $0.role != .option }
        if !arguments.isEmpty {
            sections.append("Arguments:\n" + HelpText.aligned(arguments.map(HelpText.row)))
        }
        var options = fields.filter { $0.role == .option }.map(HelpText.row)
        options.append(("--help", "Shows this help."))
        if version != nil { options.append(("--version", "Shows the version.")) }
        sections.append("Options:\n" + HelpText.aligned(options))
        if !examples.isEmpty {
            let lines = examples.map {
                "  # \($0.meaning)\n  \(($0.line.isEmpty ? [line] : [line, $0.line]).joined(separator: " "))"
            }
            sections.append("Examples:\n" + lines.joined(separator: "\n"))
        }
        if !commands.isEmpty { sections.append("More about one: \(line) help COMMAND") }
        return sections.joined(separator: "\n\n") + "\n"
    }

    private func usage(_ line: String) -> String {
        if !commands.isEmpty { return "\(line) COMMAND [OPTIONS]" }
        let options = fields.filter { $0.role == .option }
        var usage = line
        for field in options where field.isRequired {
            usage += " --\(field.option) \(HelpText.placeholder(field))"
        }
        if options.contains(where: { !$0.isRequired }) { usage += " [OPTIONS]" }
        for field in fields where field.role != .option {
            let name = field.name + (field.role == .arguments ? "…" : "")
            usage += field.isRequired ? " \(name)" : " [\(name)]"
        }
        return usage
    }
}

enum HelpText {
    static let width = 100
    /// The widest option that still has its text beside it.
    static let widestHead = 32

    static func row(_ field: Field) -> (head: String, text: String) {
        var head = field.name
        if field.role == .option {
            head = "--\(field.option)" + (field.isFlag ? "" : " \(placeholder(field))")
        } else if field.role == .arguments {
            head += "…"
        }
        var text = field.sentence
        if field.role != .option, !field.choices.isEmpty {
            text += " One of: \(field.choices.joined(separator: ", "))."
        }
        if field.isRepeated, field.role == .option { text += " May be repeated." }
        if let fallback = field.fallback {
            let shown = field.isFlag || field.isSecret ? "" : shown(fallback)
            if !shown.isEmpty { text += " Default: \(shown)." }
        } else if !field.isFlag, field.choices.isEmpty, let example = field.example {
            text += " Example: \(shown(example))."
        }
        return (head, text)
    }

    /// What stands for an option's value: its choices, or its type in capitals.
    static func placeholder(_ field: Field) -> String {
        if !field.choices.isEmpty, field.choices.count <= 4 {
            return field.choices.joined(separator: "|")
        }
        switch field.completion {
        case .files: return "FILE"
        case .directories: return "DIRECTORY"
        case .nothing: break
        }
        let kind = String(field.kind.trimmingPrefix("list of "))
        if kind.hasPrefix("one of") { return "NAME" }
        return kind == "whole number" ? "NUMBER" : kind == "byte size" ? "SIZE" : kind.uppercased()
    }

    private static func shown(_ json: JSON) -> String {
        guard let items = json.items else { return Markdown.shown(json) }
        return items.map(Markdown.shown).joined(separator: ",")
    }

    static func aligned(_ rows: [(head: String, text: String)]) -> String {
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
    static func wrapped(_ text: String) -> String {
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
}
