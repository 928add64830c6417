/// A completion script for fish.
struct FishCompletion {
    let root: Command

    init(_ root: Command) { self.root = root }

    var script: String {
        var script = "# fish completion for \(root.name)\ncomplete -c \(root.name) -f\n"
        for path in CommandPath.all(below: root) {
            let condition = " -n '\(condition(path))'"
            for command in path.command.commands {
                script += "complete -c \(root.name)\(condition) -a \(command.name)"
                script += " -d '\(quoted(command.summary))'\n"
            }
            for option in path.options {
                script += "complete -c \(root.name)\(condition) -l \(option.option)"
                script += value(option) + " -d '\(quoted(option.documentation))'\n"
            }
            for argument in path.arguments where !argument.choices.isEmpty {
                script += "complete -c \(root.name)\(condition)"
                script += " -a '\(argument.choices.joined(separator: " "))'\n"
            }
            if path.arguments.contains(where: { $0.completion != .nothing }) {
                script += "complete -c \(root.name)\(condition) -F\n"
            }
            script += "complete -c \(root.name)\(condition) -l help -d 'Shows this help.'\n"
        }
        return script
    }

    /// True when the words typed so far lead to the command and not below it.
    private func condition(_ path: CommandPath) -> String {
        var parts = path.words.dropFirst().map { "__fish_seen_subcommand_from \($0)" }
        let below = path.command.commands.map(\.name).joined(separator: " ")
        if !below.isEmpty { parts.append("not __fish_seen_subcommand_from \(below)") }
        return parts.isEmpty ? "true" : parts.joined(separator: "; and ")
    }

    private func value(_ option: Field) -> String {
        if option.isFlag { return "" }
        if !option.choices.isEmpty { return " -x -a '\(option.choices.joined(separator: " "))'" }
        return option.completion == .nothing ? " -x" : " -r -F"
    }

    private func quoted(_ text: String) -> String {
        text.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined()
    }
}
