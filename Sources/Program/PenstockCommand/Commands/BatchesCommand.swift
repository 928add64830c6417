internal import CommandLineInterface
internal import ConfigurationFields
internal import Glibc
internal import LocatedJSON
internal import PipelineCore

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
                operations in
                try await operations.view(
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
            try await options.choice.using(catalogue, console) { operations in
                var looks = 0
                while true {
                    let view = try await operations.view(BatchSelection(), limit: 15)
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
        let width = StandardOutput.width
        let lines = (view.summary + view.gauge(width: width) + view.table).map {
            String($0.prefix(width)) + "\u{1B}[K"
        }
        return (isFirst ? "\u{1B}[2J" : "") + "\u{1B}[H" + lines.joined(separator: "\n")
            + "\n\u{1B}[J"
    }
}
