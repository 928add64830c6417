public import ConfigurationFields

/// A shell whose completions can be generated.
public enum Shell: String, Choice {
    case bash
    case zsh
    case fish

    /// A script to source that completes a program's whole command tree.
    public func completion(for root: Command) -> String {
        switch self {
        case .bash: BashCompletion(root).script
        case .zsh: ZshCompletion(root).script
        case .fish: FishCompletion(root).script
        }
    }
}

/// A command with the words that lead to it, for scripts that walk the tree.
private struct CommandPath {
    var words: [String]
    var command: Command

    /// All commands below and including this one, the shallow ones first.
    static func all(below root: Command) -> [CommandPath] {
        var paths = [CommandPath(words: [root.name], command: root)]
        var index = 0
        while index < paths.count {
            let path = paths[index]
            paths += path.command.commands.map {
                CommandPath(words: path.words + [$0.name], command: $0)
            }
            index += 1
        }
        return paths
    }

    var options: [Field] { command.fields.filter { $0.role == .option } }
    var arguments: [Field] { command.fields.filter { $0.role != .option } }
    /// A name for a shell function.
    var identifier: String {
        "_" + words.joined(separator: "_").map { $0.isLetter || $0.isNumber ? $0 : "_" }
    }
    /// The words below the root, as a case label.
    var tail: String { words.dropFirst().joined(separator: " ") }
}

/// A completion script for bash 4 and later.
private struct BashCompletion {
    private let root: Command

    init(_ root: Command) { self.root = root }

    var script: String {
        let paths = CommandPath.all(below: root)
        let name = CommandPath(words: [root.name], command: root).identifier
        var script = """
            # bash completion for \(root.name)
            \(name)() {
                local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
                local path="" word
                # Bash splits --name=value into three words.
                if [[ $current == "=" ]]; then
                    current=""
                elif [[ $previous == "=" ]]; then
                    previous=${COMP_WORDS[COMP_CWORD-2]}
                fi
                for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
                    case "${path:+$path }$word" in
                        \(labels(paths))) path="${path:+$path }$word" ;;
                    esac
                done
                case "$path" in

            """
        for path in paths { script += branch(path) }
        return script + """
                esac
            }
            complete -o default -F \(name) \(root.name)

            """
    }

    private func labels(_ paths: [CommandPath]) -> String {
        let labels = paths.dropFirst().map { "\"\($0.tail)\"" }
        return labels.isEmpty ? "\"\"" : labels.joined(separator: " | ")
    }

    private func branch(_ path: CommandPath) -> String {
        var script = "        \"\(path.tail)\")\n"
        let valued = path.options.filter { !$0.isFlag }
        if !valued.isEmpty {
            script += "            case \"$previous\" in\n"
            for option in valued {
                script += "                --\(option.option)) "
                script += "\(reply(option)); return ;;\n"
            }
            script += "            esac\n"
        }
        let options =
            path.options.map { "--\($0.option)" } + ["--help"]
            + (path.command.version == nil ? [] : ["--version"])
        let names = path.command.commands.map(\.name)
        let words = names + path.arguments.flatMap(\.choices)
        script += "            if [[ $current == -* ]]; then\n"
        script += "                \(wordList(options))\n"
        if path.arguments.contains(where: { $0.completion == .directories }) {
            script +=
                "            else\n                COMPREPLY=($(compgen -d -- \"$current\"))\n"
        } else if path.arguments.contains(where: { $0.completion == .files }) {
            script +=
                "            else\n                COMPREPLY=($(compgen -f -- \"$current\"))\n"
        } else if !words.isEmpty {
            script += "            else\n                \(wordList(words))\n"
        }
        return script + "            fi ;;\n"
    }

    private func reply(_ option: Field) -> String {
        if !option.choices.isEmpty { return wordList(option.choices) }
        return switch option.completion {
        case .files: "COMPREPLY=($(compgen -f -- \"$current\"))"
        case .directories: "COMPREPLY=($(compgen -d -- \"$current\"))"
        case .nothing: "COMPREPLY=()"
        }
    }

    private func wordList(_ words: [String]) -> String {
        "COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- \"$current\"))"
    }
}

/// A completion script for fish.
private struct FishCompletion {
    private let root: Command

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

/// A completion script for zsh: a function a command, calling each other down the tree.
private struct ZshCompletion {
    private let root: Command

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
            for option in path.options { lines.append("        \(completion(of: option)) \\") }
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

    private func completion(of option: Field) -> String {
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
