internal import CommandLineInterface
internal import ConfigurationDiagnostics
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineConfiguration
internal import PipelineCore

struct StagesOptions: Settings {
    static let summary = "Explains the stages, or one of them with all its settings."
    let format: StageReference.Format
    let name: String?

    init(_ field: Fields) {
        format = field("format", "How it is printed.", default: .text)
        name = field.optionalArgument("NAME", "The stage's type.", example: "accumulate")
    }
}

struct SchemaOptions: Settings {
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
