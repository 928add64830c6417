internal import Logging
internal import PipelineCore
internal import Specification
internal import StandardCatalogue

struct MigrateOptions: Settings {
    static let summary = "Creates or updates the tables of the stores that pipelines name."
    let files: [String]

    init(_ field: Fields) {
        files = field.arguments(
            "FILE", "Pipeline files; any *.schema.json among them is passed over.",
            example: ["Pipelines/conversion-reports.json"],
            completion: .files)
    }
}

extension PenstockCommand {
    static func migrate(_ catalogue: Catalogue) -> Command {
        Command(
            "migrate", MigrateOptions.self,
            details: "Safe to run again, while pipelines run, and by two processes at once.",
            examples: [.init("Pipelines/*.json", "Before the first run, and after an update.")]
        ) { options, console in
            var resources = OpenResources(
                catalogue: catalogue,
                context: ResourceContext(
                    clock: .system, random: RandomSource(),
                    logger: Logger(label: "penstock", level: .warning), isRunning: false))
            for definition in try PipelineFiles.read(
                options.files, catalogue: catalogue, console: console)
            {
                _ = try resources.open(definition)
            }
            do {
                for store in resources.stores { try await store.migrate() }
            } catch let error as PipelineError {
                throw CommandFailure(error.exitCode, error.description)
            }
            console.err("\(resources.stores.count) store(s) up to date\n")
            await resources.close()
            return .success
        }
    }
}
