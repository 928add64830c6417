internal import PipelineConfiguration
internal import PipelineCore
internal import Specification

struct ValidateOptions: Settings {
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
            "FILE", "Pipeline files.", example: ["Pipelines/conversion-reports.json"],
            completion: .files)
    }
}

extension PenstockCommand {
    static func validate(_ catalogue: Catalogue) -> Command {
        Command(
            "validate", ValidateOptions.self,
            details:
                "Reads files by the same code as `run`. Exits with 0 when they are in order, with 78 when not.",
            examples: [
                .init("Pipelines/*.json", "Checks all pipelines."),
                .init("--format github Pipelines/*.json", "Annotates a change in CI."),
            ]
        ) { options, console in
            let reader = PipelineReader(
                catalogue: catalogue,
                environment: ProcessEnvironment.specification(
                    missing: options.level == .env ? .error : .warning))
            var problems: [Diagnostic] = []
            var isValid = true
            for file in options.files {
                let reading = reader.read(try ProcessEnvironment.readFile(file), file: file)
                isValid = isValid && reading.isValid
                if options.format == .json {
                    problems += reading.diagnostics.list
                } else if !reading.diagnostics.list.isEmpty {
                    console.out(
                        reading.diagnostics.rendered(
                            as: options.format, source: console.isTerminal ? reading.source : nil))
                }
                if options.format == .text, reading.isValid, let found = reading.definition {
                    console.out("\(file): ok (\(found.name): \(summary(found)))\n")
                }
            }
            if options.format == .json {
                console.out(Diagnostics(problems).rendered(as: .json))
            }
            return isValid ? .success : .configuration
        }
    }

    private static func summary(_ definition: PipelineDefinition) -> String {
        definition.stages.map(\.type).joined(separator: " → ")
    }
}
