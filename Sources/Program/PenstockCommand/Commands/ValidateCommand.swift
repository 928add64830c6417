internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineConfiguration
internal import PipelineCore

private struct ValidateOptions: Settings {
    enum Level: String, Choice { case `static`, env }

    static let summary = "Checks pipeline files: no network, no file written."
    let format: Diagnostics.Format
    let level: Level
    let files: [String]

    init(_ field: Fields) {
        format = field("format", "How problems are printed.", default: .text)
        level = field(
            "level",
            "`static` warns of variables that are not set here, `env` refuses them as run would.",
            default: .static)
        files = field.arguments(
            "FILE",
            "Pipeline files; any *.schema.json among them is passed over, - is standard input.",
            example: ["Pipelines/conversion-reports.json"],
            completion: .files)
    }
}

extension PenstockCommand {
    static func validate(_ catalogue: Catalogue) -> Command {
        Command(
            "validate", ValidateOptions.self,
            details: """
                Reads files by the same code as `run`, alone and together: all that are to run on \
                one bus, so that circles are found. `-` reads standard input. `penstock \
                explain-error CODE` says more about a problem.

                Exits with 0 when they are in order (warnings and notes included), with 78 when not.
                """,
            examples: [
                .init("Pipelines/*.json", "Checks all pipelines, and what they are together."),
                .init("--level env Pipelines/*.json", "Where they are to run: as run would."),
                .init("--format github Pipelines/*.json", "Annotates a change in CI."),
            ]
        ) { options, console in
            let readings = PipelineFiles.readings(
                of: options.files, catalogue: catalogue,
                missing: options.level == .env ? .error : .warning)
            switch options.format {
            case .text:
                for reading in readings { console.out(report(reading, console)) }
                let errors = readings.flatMap(\.diagnostics.list).filter { $0.severity == .error }
                if console.isOutTerminal, let first = errors.first {
                    console.out("\nMore about it: penstock explain-error \(first.code.rawValue)\n")
                }
            case .json, .github:
                let all = Diagnostics(readings.flatMap(\.diagnostics.list))
                console.out(all.rendered(as: options.format))
            }
            return readings.allSatisfy(\.isValid) ? .success : .configuration
        }
    }

    /// What was found in a file, and a last line that says what it comes to.
    private static func report(_ reading: PipelineReading, _ console: Console) -> String {
        let found = reading.diagnostics.rendered(
            as: .text, source: console.isOutTerminal ? reading.source : nil,
            colours: console.isOutTerminal && console.allowsColour)
        let verdict: String
        if !reading.isValid {
            verdict = reading.diagnostics.tally
        } else if let definition = reading.definition {
            verdict = "ok (\(definition.name): \(definition.chain))"
        } else {
            verdict = "ok, once the variables and files are there that it names"
        }
        return found + "\(reading.file): \(verdict)\n"
    }
}

extension PipelineDefinition {
    /// `ingest → accumulate → generate → publish`
    fileprivate var chain: String { stages.map(\.type).joined(separator: " → ") }
}

private struct StagesOptions: Settings {
    static let summary = "Explains the stages, or one of them with all its settings."
    let format: StageReference.Format
    let name: String?

    init(_ field: Fields) {
        format = field("format", "How it is printed.", default: .text)
        name = field.optionalArgument("NAME", "The stage's type.", example: "accumulate")
    }
}

private struct SchemaOptions: Settings {
    static let summary =
        "Prints the JSON Schema of pipeline files, so that editors complete and explain."
    init(_ field: Fields) {}
}

extension PenstockCommand {
    static func stages(_ catalogue: Catalogue) -> Command {
        Command(
            "stages", StagesOptions.self,
            examples: [
                .init("", "What there is."), .init("accumulate", "One stage, setting by setting."),
            ]
        ) { options, console in
            guard let name = options.name else {
                console.out(StageReference.catalogue(catalogue, as: options.format))
                return .success
            }
            guard let stage = catalogue.stage(name) else {
                let hint = Suggestion.hint(for: name, among: catalogue.stages.map { $0.type })
                throw CommandFailure(
                    .usage, "there is no stage \"\(name)\"" + (hint.map { "; \($0)" } ?? ""))
            }
            console.out(StageReference.stage(stage, as: options.format))
            return .success
        }
    }

    static func schema(_ catalogue: Catalogue) -> Command {
        Command(
            "schema", SchemaOptions.self,
            examples: [.init("> Pipelines/pipeline.schema.json", "Renews the shipped schema.")]
        ) { _, console in
            console.out(PipelineSchema.document(for: catalogue).written(.pretty) + "\n")
            return .success
        }
    }
}

private struct ExplainErrorOptions: Settings {
    static let summary = "Explains the code of an error, a warning or a note, or lists all codes."
    let format: Explanation.Format
    let code: String?

    init(_ field: Fields) {
        format = field("format", "How it is printed.", default: .text)
        code = field.optionalArgument(
            "CODE", "What stands in brackets: error[CODE] of a file, [CODE] of a running process.",
            example: "unknown-key")
    }
}

extension PenstockCommand {
    static func explainError(_ catalogue: Catalogue) -> Command {
        Command(
            "explain-error", ExplainErrorOptions.self,
            examples: [
                .init("", "All codes, a line each."),
                .init(
                    "sla-exceeded", "What it means, why it is refused, what to do, and an example."),
                .init(
                    "store-in-use",
                    "What has happened, what to do, and what becomes of the process."),
                .init("--format markdown", "All of them in full, as a document."),
            ]
        ) { options, console in
            let codes = Explanation.codes(of: catalogue)
            let errorCodes = ErrorCode.explained(of: catalogue)
            guard let name = options.code else {
                console.out(await list(codes, errorCodes, as: options.format, catalogue))
                return .success
            }
            guard let code = codes.first(where: { $0.rawValue == name }) else {
                if let code = errorCodes.first(where: { $0.name == name }) {
                    console.out(code.rendered(as: options.format))
                    return .success
                }
                let hint = Suggestion.nearest(
                    to: name, among: codes.map(\.rawValue) + errorCodes.map(\.name))
                throw CommandFailure(
                    .usage,
                    "there is no code \(JSON.quoted(name)); "
                        + (hint.map { "did you mean \($0)?" }
                            ?? "penstock explain-error lists all codes"))
            }
            let explanation = await Explanation(
                of: code, catalogue: catalogue, program: tree(catalogue))
            console.out(explanation.rendered(as: options.format))
            return .success
        }
    }

    private static func list(
        _ codes: [Diagnostic.Code], _ errorCodes: [ErrorCode], as format: Explanation.Format,
        _ catalogue: Catalogue
    ) async -> String {
        if format == .text {
            let files = codes.map { (head: $0.rawValue, text: $0.summary) }
            let running = errorCodes.map { (head: $0.name, text: $0.meaning) }
            return """
                Of a file or a command line:

                \(PlainText.aligned(files))

                Of a running process, or in a dead letter:

                \(PlainText.aligned(running))

                More about one: penstock explain-error CODE

                """
        }
        var explanations: [Explanation] = []
        for code in codes {
            explanations.append(
                await Explanation(of: code, catalogue: catalogue, program: tree(catalogue)))
        }
        return format == .json
            ? JSON.array(explanations.map(\.json) + errorCodes.map(\.json)).written(.pretty)
                + "\n"
            : (explanations.map { $0.rendered(as: .markdown) }
                + errorCodes.map { $0.rendered(as: .markdown) }).joined(separator: "\n")
    }
}
