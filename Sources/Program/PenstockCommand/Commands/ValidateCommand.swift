internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import PipelineConfiguration
internal import PipelineCore

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
                Reads files by the same code as `run`, alone and together: all that are to run on one bus, so that \
                circles are found. `-` reads standard input. `penstock explain-error CODE` says more about a problem.

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
