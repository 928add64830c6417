public import ConfigurationDiagnostics
internal import LocatedJSON

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
                            ", for example --\(name) \($0.plainText)"
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
