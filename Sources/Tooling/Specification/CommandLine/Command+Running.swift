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

/// A command's arguments taken apart, before anybody has looked at their values.
struct Arguments {
    var options: [(name: String, text: String)] = []
    var positionals: [String] = []

    /// Takes arguments apart and reports options nobody knows and values that are missing.
    ///
    /// `--name=value` and `--name value` mean the same; what follows `--` is never an option.
    init(_ arguments: [String], for fields: [Field], in context: DecodingContext) {
        let known = fields.filter { $0.role == .option }
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if argument == "--" {
                positionals += rest
                return
            }
            guard argument.hasPrefix("-"), argument != "-" else {
                positionals.append(argument)
                continue
            }
            let parts = argument.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false
            ).map(String.init)
            let name = String(parts[0].drop { $0 == "-" })
            guard argument.hasPrefix("--"), let field = known.first(where: { $0.option == name })
            else {
                Self.reportUnknown(parts[0], among: known, in: context)
                continue
            }
            if parts.count == 2 {
                options.append((name, parts[1]))
            } else if field.isFlag {
                options.append((name, "true"))
            } else if let value = rest.first, !value.hasPrefix("--") {
                rest.removeFirst()
                options.append((name, value))
            } else {
                context.report(
                    .missingValue, "the option --\(name) stands without its value",
                    hint: "expected \(field.kind)"
                        + (field.example.map {
                            ", for example --\(name) \(Markdown.shown($0))"
                        } ?? ""), at: nil)
            }
        }
    }

    private static func reportUnknown(
        _ written: String, among known: [Field], in context: DecodingContext
    ) {
        let names = known.map { "--\($0.option)" } + ["--help"]
        context.report(
            .unknownOption, "unknown option \(written)",
            hint: Suggestion.hint(for: written, among: names) { $0 }, at: nil)
    }
}

extension Settings {
    /// Reads a command line, without the command's name.
    ///
    /// - Throws: ``Diagnostics`` with everything that is wrong.
    public static func parse(_ arguments: [String]) throws(Diagnostics) -> Self {
        let context = DecodingContext()
        context.record.isCommandLine = true
        let parsed = Arguments(arguments, for: fields, in: context)
        let reader = Fields(.arguments(parsed, context))
        let settings = Self(reader)
        reader.refuseUnknown()
        guard context.record.problems.isEmpty else { throw context.problems }
        return settings
    }
}
