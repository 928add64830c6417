internal import LocatedJSON
internal import ConfigurationFields

extension Command {
    /// The help text: summary, usage, arguments and options aligned, examples.
    ///
    /// - Parameters:
    ///   - line: What has to be typed to reach the command: `penstock run`.
    public func help(as line: String) -> String {
        var sections = [summary]
        if let details { sections.append(PlainText.wrapped(details)) }
        sections.append("Usage: " + usage(line))
        if !commands.isEmpty {
            let rows = commands.map { (head: $0.name, text: $0.summary) }
            sections.append("Commands:\n" + PlainText.aligned(rows))
        }
        let arguments = fields.filter { $0.role != .option }
        if !arguments.isEmpty {
            sections.append("Arguments:\n" + PlainText.aligned(arguments.map(HelpText.row)))
        }
        var options = fields.filter { $0.role == .option }.map(HelpText.row)
        options.append(("--help", "Shows this help."))
        if version != nil { options.append(("--version", "Shows the version.")) }
        sections.append("Options:\n" + PlainText.aligned(options))
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
        guard let items = json.items else { return json.plainText }
        return items.map(\.plainText).joined(separator: ",")
    }
}
