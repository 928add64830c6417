/// A completion script for zsh: a function a command, calling each other down the tree.
struct ZshCompletion {
    let root: Command

    init(_ root: Command) { self.root = root }

    var script: String {
        let paths = CommandPath.all(below: root)
        var script = "#compdef \(root.name)\n\n"
        for path in paths { script += function(path) + "\n" }
        return script + "compdef \(paths[0].identifier) \(root.name)\n"
    }

    private func function(_ path: CommandPath) -> String {
        var lines = ["\(path.identifier)() {"]
        if path.command.commands.isEmpty {
            lines.append("    _arguments \\")
            for option in path.options { lines.append("        \(specification(option)) \\") }
            lines.append("        '--help[\(quoted("Shows this help."))]' \\")
            for argument in path.arguments { lines.append("        \(position(argument)) \\") }
            lines[lines.count - 1].removeLast(2)
        } else {
            lines.append("    local line state")
            lines.append("    local -a commands=(")
            for command in path.command.commands {
                lines.append("        '\(command.name):\(quoted(command.summary))'")
            }
            lines.append("    )")
            lines.append(
                "    _arguments -C '--help[Shows this help.]' '1: :->command' '*::argument:->rest'")
            lines.append("    case $state in")
            lines.append("        command) _describe command commands ;;")
            lines.append("        rest)")
            lines.append("            case $line[1] in")
            for command in path.command.commands {
                let inner = CommandPath(words: path.words + [command.name], command: command)
                lines.append("                \(command.name)) \(inner.identifier) ;;")
            }
            lines.append("            esac ;;")
            lines.append("    esac")
        }
        lines.append("}")
        return lines.joined(separator: "\n") + "\n"
    }

    private func specification(_ option: Field) -> String {
        // With = the value may follow in the same word or in the next.
        let name = option.isFlag ? option.option : "\(option.option)="
        let head = "--\(name)[\(quoted(option.documentation))]"
        let repeated = option.isRepeated ? "*" : ""
        return option.isFlag
            ? "'\(head)'" : "'\(repeated)\(head):\(quoted(option.kind)):\(action(option))'"
    }

    private func position(_ argument: Field) -> String {
        let place = argument.role == .arguments ? "*" : argument.isRequired ? "" : ":"
        return "'\(place):\(quoted(argument.name)):\(action(argument))'"
    }

    private func action(_ field: Field) -> String {
        if !field.choices.isEmpty { return "(\(field.choices.joined(separator: " ")))" }
        return switch field.completion {
        case .files: "_files"
        case .directories: "_files -/"
        case .nothing: ""
        }
    }

    /// Text inside single quotes, in brackets, before a colon.
    private func quoted(_ text: String) -> String {
        text.map { character in
            switch character {
            case "'": "'\\''"
            case "[", "]", ":", "\\": "\\\(character)"
            default: String(character)
            }
        }.joined()
    }
}
