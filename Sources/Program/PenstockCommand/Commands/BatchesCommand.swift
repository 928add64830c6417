internal import CommandLineInterface
internal import ConfigurationFields
internal import Glibc
internal import LocatedJSON
internal import PipelineConfiguration
internal import PipelineCore

/// Which accumulate stage a command looks into.
struct StageChoice: Sendable {
    let stage: String?
    let pipeline: String

    init(_ field: Fields) {
        stage = field.optional(
            "stage", "The accumulate stage; the pipeline's only one without.", example: "batch")
        pipeline = .pipelineFile(field)
    }

    /// Opens the stage's barrier beside whoever runs it, and closes it after `body`.
    ///
    /// - Throws: ``CommandFailure``.
    func using<T>(
        _ catalogue: Catalogue, _ console: Console,
        _ body: (BarrierAccess, _ pipeline: String, _ stage: String) async throws -> T
    ) async throws -> T {
        let definition = try PipelineFiles.read(
            [pipeline], catalogue: catalogue, console: console)[0]
        let stage = try stage ?? definition.onlyBarrier
        let access = try await BarrierAccess.open(definition, stage: stage, catalogue: catalogue)
        do {
            let result = try await body(access, definition.name, stage)
            await access.resources.close()
            return result
        } catch let error as PipelineError {
            throw CommandFailure(error.exitCode, error.description)
        }
    }
}

extension PipelineDefinition {
    /// - Throws: ``CommandFailure`` `usage` when there is none, or more than one.
    fileprivate var onlyBarrier: String {
        get throws {
            let barriers = stages.filter { $0.role == .barrier }.map(\.id)
            guard barriers.count == 1 else {
                throw CommandFailure(
                    .usage,
                    barriers.isEmpty
                        ? "\(file) has no accumulate stage, and so no batches"
                        : "\(file) has several accumulate stages: choose by --stage \(barriers.joined(separator: "|"))"
                )
            }
            return barriers[0]
        }
    }
}

private struct BatchesOptions: Settings {
    enum Format: String, Choice { case text, json }

    static let summary = "Shows the open batch, when it is sealed and why, and the latest batches."
    let choice: StageChoice
    let unfinished: Bool
    let limit: Int
    let format: Format

    init(_ field: Fields) {
        choice = StageChoice(field)
        unfinished = field(
            "unfinished", "Only batches that have no outcomes yet, or that a sink has not got.",
            default: false)
        limit = field("limit", "Most batches, the newest first.", default: 20, in: 0...10_000)
        format = field(
            "format", "How they are printed; json is one object with everything.", default: .text)
    }
}

private struct TopOptions: Settings {
    static let summary = "Shows the open batch and the latest batches, again and again."
    let choice: StageChoice
    let interval: Duration
    let count: Int?

    init(_ field: Fields) {
        choice = StageChoice(field)
        interval = field(
            "interval", "How long to wait between two looks.", default: .seconds(2),
            in: .milliseconds(100) ... .seconds(3600))
        count = field.optional(
            "count", "How often; until it is interrupted without.", example: 3, in: 1...)
    }
}

extension PenstockCommand {
    static func batches(_ catalogue: Catalogue) -> Command {
        Command(
            "batches", BatchesOptions.self,
            details: """
                Reads the ledger beside a running `penstock run`, and without one. Times are the \
                store's clock.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json", "What waits, and for what."),
                .init(
                    "--unfinished --format json Pipelines/conversion-reports.json",
                    "What is in work, for a machine."),
            ]
        ) { options, console in
            let view = try await options.choice.using(catalogue, console) {
                access, pipeline, stage in
                try await StageView(
                    access, of: pipeline, stage: stage,
                    BatchSelection(isUnfinishedOnly: options.unfinished), limit: options.limit)
            }
            switch options.format {
            case .text: console.out((view.summary + view.table).joined(separator: "\n") + "\n")
            case .json: console.out(view.json.written(.pretty) + "\n")
            }
            return .success
        }
    }

    static func top(_ catalogue: Catalogue) -> Command {
        Command(
            "top", TopOptions.self,
            details: """
                On a terminal each look replaces the one before; elsewhere they follow each other, \
                a blank line between them. Ends by Ctrl-C.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json", "A live view."),
                .init(
                    "--count 1 Pipelines/conversion-reports.json", "One look, and the end."),
            ]
        ) { options, console in
            try await options.choice.using(catalogue, console) { access, pipeline, stage in
                var looks = 0
                while true {
                    let view = try await StageView(
                        access, of: pipeline, stage: stage, BatchSelection(), limit: 15)
                    console.out(frame(view, isFirst: looks == 0, on: console))
                    looks += 1
                    if let count = options.count, looks >= count { return }
                    try await PipelineClock.system.sleep(for: options.interval)
                }
            }
            return .success
        }
    }

    /// A look as it goes to a terminal (home, lines that erase what is behind them, erase below),
    /// or to a file.
    private static func frame(_ view: StageView, isFirst: Bool, on console: Console) -> String {
        guard console.isOutTerminal else {
            return (isFirst ? "" : "\n") + (view.summary + view.table).joined(separator: "\n")
                + "\n"
        }
        let (width, height) = StandardOutput.size
        let whole = view.summary.flatMap { $0.wrapped(to: width) } + view.gauge(width: width)
        // The cursor stands below; one line more, and the first would be pushed out.
        let lines = (whole + view.table).prefix(height - 1).map {
            String($0.prefix(width)) + "\u{1B}[K"
        }
        return (isFirst ? "\u{1B}[2J" : "") + "\u{1B}[H" + lines.joined(separator: "\n")
            + "\n\u{1B}[J"
    }
}
