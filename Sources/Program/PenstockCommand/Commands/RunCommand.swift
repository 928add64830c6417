internal import CommandLineInterface
internal import ConfigurationFields
internal import Logging
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import StandardCatalogue

struct RunOptions: Settings {
    enum Role: String, Choice { case all, api, worker }

    static let summary = "Runs pipelines, and the API, in one process."
    let role: Role
    let service: ServiceOptions
    let files: [String]

    init(_ field: Fields) {
        role = field(
            "role",
            "What this process does: everything, the head of pipelines with the API, or the work without the API.",
            default: .all)
        service = ServiceOptions(field)
        files = field.arguments(
            "FILE", "Pipeline files; any *.schema.json among them is passed over.",
            example: ["Pipelines/conversion-reports.json"],
            completion: .files)
    }
}

extension PenstockCommand {
    static func run(_ catalogue: Catalogue) -> Command {
        Command(
            "run", RunOptions.self,
            details: """
                Stops gracefully on SIGTERM and SIGINT: inputs end, what is in flight settles, nothing waits for a trigger; \
                a second signal ends at once. Whatever hangs two seconds after the grace is named in the log, and the process \
                ends with 70. Ends by itself when every input has ended and everything is delivered.
                """,
            examples: [
                .init("Pipelines/*.json", "Everything in one process."),
                .init("--role worker Pipelines/*.json", "One of several workers."),
            ]
        ) { options, console in
            let definitions = try PipelineFiles.read(
                options.files, catalogue: catalogue, console: console)
            let logger = options.service.logger("penstock")
            try ProcessEnvironment.raiseFileLimit()
            do {
                let stop = try ProcessStop(grace: options.service.grace, logger: logger)
                try await ProcessRun(
                    definitions: definitions, catalogue: catalogue, options: options,
                    logger: logger, stop: stop
                ).run()
            } catch let error as PipelineError {
                // Whoever closes a pipe has seen enough, and is not told.
                if error.exitCode == .outputClosed { return .outputClosed }
                let doubt =
                    error.isOfEnvironment ? "the files are in order, but here they can't run: " : ""
                throw CommandFailure(error.exitCode, doubt + error.description)
            }
            return .success
        }
    }
}
