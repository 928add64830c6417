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
struct CommandPath {
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
