/// A completion script for bash 4 and later.
struct BashCompletion {
    let root: Command

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
