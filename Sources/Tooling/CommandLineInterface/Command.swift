public import ConfigurationDiagnostics
public import ConfigurationFields

/// A command, or a group of them: a value, so that a program's whole command line is one tree.
///
/// ```swift
/// let validate = Command("validate", Validate.self) { options, console in
///     console.out("ok\n")
///     return .success
/// }
/// let penstock = Command(
///     "penstock", "Does together what is cheap to do together.", version: "1.0",
///     commands: [validate, .completion])
/// let code = await penstock.run(arguments, console: console)
/// ```
public struct Command: Sendable {
    /// A command line somebody might type, with what it does.
    public struct Example: Sendable {
        /// What to type, without the program's name and the command's.
        public var line: String
        /// What it does.
        public var meaning: String

        /// An example.
        public init(_ line: String, _ meaning: String) {
            self.line = line
            self.meaning = meaning
        }
    }

    typealias Action = @Sendable (Console) async throws -> ExitCode

    enum Body: Sendable {
        case group([Command])
        /// Reading the arguments is a step of its own, so that what it throws is known to be about
        /// the command line.
        case leaf(fields: [Field], parse: @Sendable ([String]) throws(Diagnostics) -> Action)
        /// Prints completions for the whole tree, which only the root knows.
        case completion
    }

    /// What is typed.
    public let name: String
    /// One sentence.
    public let summary: String
    /// More about it, in paragraphs.
    public let details: String?
    /// What `--version` prints; the root's.
    public let version: String?
    /// Command lines to learn from.
    public let examples: [Example]
    let body: Body

    /// A command with options.
    ///
    /// - Parameters:
    ///   - run: Does it. What it throws is printed and decides the exit code: its own for a
    ///     ``CommandFailure``, 78 for a ``Diagnostic`` or several, 1 for everything else.
    public init<Options: Settings>(
        _ name: String, _ options: Options.Type, details: String? = nil, version: String? = nil,
        examples: [Example] = [],
        run: @escaping @Sendable (Options, Console) async throws -> ExitCode
    ) {
        self.name = name
        summary = options.summary
        self.details = details
        self.version = version
        self.examples = examples
        body = .leaf(fields: options.fields) { arguments throws(Diagnostics) in
            let options = try Options.parse(arguments)
            return { console in try await run(options, console) }
        }
    }

    /// A group of commands.
    public init(
        _ name: String, _ summary: String, details: String? = nil, version: String? = nil,
        examples: [Example] = [], commands: [Command]
    ) {
        self.name = name
        self.summary = summary
        self.details = details
        self.version = version
        self.examples = examples
        body = .group(commands)
    }

    private init(completion name: String) {
        self.name = name
        summary = "Prints completions for a shell, to be sourced by it."
        details = nil
        version = nil
        examples = [
            Example(
                "bash > ~/.local/share/bash-completion/completions/penstock",
                "For every new bash.")
        ]
        body = .completion
    }

    /// The command that prints completions for the tree it is in: `completion bash|zsh|fish`.
    public static let completion = Command(completion: "completion")

    /// The commands of a group; none for others.
    public var commands: [Command] { if case .group(let commands) = body { commands } else { [] } }

    /// The options and arguments; none for groups.
    public var fields: [Field] {
        switch body {
        case .group: []
        case .leaf(let fields, _): fields
        case .completion: CompletionOptions.fields
        }
    }
}

struct CompletionOptions: Settings {
    static let summary = "Prints completions for a shell."
    let shell: Shell

    init(_ field: Fields) {
        shell = field.argument("SHELL", "The shell.", example: .bash)
    }
}

extension Command {
    /// Finds the command that arguments name, reads its options and runs it.
    ///
    /// - Parameters:
    ///   - arguments: The command line without the program's name.
    /// - Returns: The command's exit code, or 64 when the command line was not understood.
    public func run(_ arguments: [String], console: Console) async -> ExitCode {
        await run(arguments[...], names: [name], root: self, console)
    }

    private func run(
        _ arguments: ArraySlice<String>, names: [String], root: Command, _ console: Console
    ) async -> ExitCode {
        let line = names.joined(separator: " ")
        // What follows a lone -- is never ours to read.
        let own = arguments.prefix { $0 != "--" }
        if case .group(let commands) = body {
            return await runGroup(arguments, commands, names: names, root: root, console)
        }
        if own.contains("--help") || own.contains("-h") {
            console.out(help(as: line))
            return .success
        }
        if let version, own.contains("--version") {
            console.out("\(root.name) \(version)\n")
            return .success
        }
        do throws(Diagnostics) {
            switch body {
            case .group: return .internal
            case .leaf(_, let parse):
                let action = try parse(Array(arguments))
                return await perform(action, line, console)
            case .completion:
                let options = try CompletionOptions.parse(Array(arguments))
                console.out(options.shell.completion(for: root))
                return .success
            }
        } catch {
            complain(error, line, console)
            return .usage
        }
    }

    private func perform(_ action: Action, _ line: String, _ console: Console) async -> ExitCode {
        do {
            return try await action(console)
        } catch let failure as CommandFailure {
            console.err("\(line): \(failure.message)\n")
            return failure.code
        } catch let problems as Diagnostics {
            console.err(problems.rendered(as: .text))
            return .configuration
        } catch let problem as Diagnostic {
            console.err("\(line): \(problem)\n")
            return .configuration
        } catch {
            console.err("\(line): \(error)\n")
            return .failure
        }
    }

    private func runGroup(
        _ arguments: ArraySlice<String>, _ commands: [Command], names: [String], root: Command,
        _ console: Console
    ) async -> ExitCode {
        let line = names.joined(separator: " ")
        guard let first = arguments.first else {
            console.err(help(as: line))
            return .usage
        }
        switch first {
        case "--help", "-h":
            console.out(help(as: line))
            return .success
        case "--version" where root.version != nil:
            console.out("\(root.name) \(root.version ?? "")\n")
            return .success
        case "help":
            return await run(
                arguments.dropFirst() + ["--help"], names: names, root: root, console)
        default: break
        }
        if let command = commands.first(where: { $0.name == first }) {
            return await command.run(
                arguments.dropFirst(), names: names + [first], root: root, console)
        }
        let isOption = first.hasPrefix("-")
        let known =
            isOption ? ["--help"] + (version == nil ? [] : ["--version"]) : commands.map(\.name)
        let problem = Diagnostic(
            isOption ? .unknownOption : .unknownCommand,
            "unknown \(isOption ? "option" : "command") \(first)",
            hint: Suggestion.hint(for: first, among: known) { $0 })
        complain(Diagnostics([problem]), line, console)
        return .usage
    }

    private func complain(_ problems: Diagnostics, _ line: String, _ console: Console) {
        for problem in problems.list { console.err("\(line): \(problem)\n") }
        console.err("Try '\(line) --help'.\n")
    }
}

extension Diagnostic.Code {
    /// There is no such command.
    public static let unknownCommand = Self(
        "unknown-command", "There is no such command.",
        """
        The first word behind the program's name says what to do, and this is none of its words. \
        `--help` lists them, each with a line.
        """,
        example: .commandLine(["vaildate", "reports.json"]))
}
