public import ConfigurationDiagnostics
internal import ConfigurationFields

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
