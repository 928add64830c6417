internal import ConfigurationDiagnostics
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
