internal import CommandLineInterface
internal import ConfigurationFields
internal import PipelineCore

private struct FlushOptions: Settings {
    static let summary = "Fires the `manual` trigger: what waits is sealed now."
    let choice: StageChoice

    init(_ field: Fields) { choice = StageChoice(field, argument: true) }
}

extension PenstockCommand {
    static func flush(_ catalogue: Catalogue) -> Command {
        Command(
            "flush", FlushOptions.self,
            details: """
                Works beside a running `penstock run`, which sees it within the stage's `poll` \
                interval. The stage's rule must name the `manual` trigger.
                """,
            examples: [.init("Pipelines/conversion-reports.json batch", "Nobody waits 12 h.")]
        ) { options, console in
            try await options.choice.using(catalogue, console) { operations in
                try await operations.flush()
                console.err("flush of \(operations.stage) requested\n")
            }
            return .success
        }
    }
}
