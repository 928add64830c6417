internal import CommandLineInterface
internal import ConfigurationFields
internal import Logging
internal import PipelineConfiguration
internal import PipelineCore

struct FlushOptions: Settings {
    static let summary = "Fires the `manual` trigger: what waits is sealed now."
    let pipeline: String
    let stage: String

    init(_ field: Fields) {
        pipeline = field.argument(
            "PIPELINE", "The pipeline's file.", example: "Pipelines/conversion-reports.json",
            completion: .files)
        stage = field.argument("STAGE", "The id of its accumulate stage.", example: "batch")
    }
}

extension PenstockCommand {
    static func flush(_ catalogue: Catalogue) -> Command {
        Command(
            "flush", FlushOptions.self,
            details: """
                Works beside a running `penstock run`, which sees it within the stage's `poll` interval. The stage's rule \
                must name the `manual` trigger.
                """,
            examples: [.init("Pipelines/conversion-reports.json batch", "Nobody waits 12 h.")]
        ) { options, console in
            let definition = try PipelineFiles.read(
                [options.pipeline], catalogue: catalogue, console: console)[0]
            let barrier = try await BarrierAccess.open(
                definition, stage: options.stage, catalogue: catalogue)
            do {
                try await barrier.barrier.flush(options.stage)
            } catch let error as PipelineError {
                throw CommandFailure(error.exitCode, error.description)
            }
            await barrier.resources.close()
            console.err("flush of \(options.stage) requested\n")
            return .success
        }
    }
}
