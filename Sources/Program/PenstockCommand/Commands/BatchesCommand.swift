internal import CommandLineInterface
internal import ConfigurationFields
internal import DryRunReport
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
    enum Format: String, Choice { case text, json }

    let choice: StageChoice
    let interval: Duration
    let count: Int?
    let format: Format

    init(_ field: Fields) {
        choice = StageChoice(field)
        interval = field(
            "interval", "How long to wait between two looks.", default: .seconds(2),
            in: .milliseconds(100) ... .seconds(3600))
        count = field.optional(
            "count", "How often; until it is interrupted without.", example: 3, in: 1...)
        format = field(
            "format", "How a look is printed; json is an object a line, as `batches` has it.",
            default: .text)
    }
}

private struct ReplayBatchOptions: Settings {
    static let summary = "Generates the cases of a finished batch again, as another revision."
    let choice: StageChoice
    let number: Int

    init(_ field: Fields) {
        choice = StageChoice(field)
        number = field.argument("NO", "The batch's number, as `batches` shows it.", example: 17)
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

    static func replayBatch(_ catalogue: Catalogue) -> Command {
        Command(
            "replay-batch", ReplayBatchOptions.self,
            details: """
                For when the data behind them was mended. All cases go into one new batch at once, \
                due as if they had been requested now; sinks get the new outcomes, with ids of their \
                own and the next revision. Readers are answered the old report until the new outcome \
                is there; an API's memory may answer it for ten seconds more, and a cache until it is \
                delivered to. Cases that were opened again since, and those that were cancelled, are \
                left out: the same command, said again, does nothing.
                """,
            examples: [
                .init(
                    "Pipelines/conversion-reports.json 17",
                    "Its events were incomplete, and are there now.")
            ]
        ) { options, console in
            let replay = try await options.choice.using(catalogue, console) {
                try await $0.replay(batch: Int64(options.number))
            }
            console.out(replay.lines(of: options.number).joined(separator: "\n") + "\n")
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
                    switch options.format {
                    case .text: console.out(frame(view, isFirst: looks == 0, on: console))
                    case .json: console.out(view.json.written(.compact) + "\n")
                    }
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

extension BatchReplay {
    /// What it did and what not, and why.
    fileprivate func lines(of number: Int) -> [String] {
        let opened = "\(replayed.counting("case", "cases")) of batch \(number) opened again"
        let left = [
            (inWork, "in work again already"), (answeredSince, "answered anew since"),
            (ended, "cancelled or expired"),
        ].filter { $0.0 > 0 }.map { "left out: \($0.counting("case", "cases")), \($1)" }
        return [opened + (batch.map { ", as batch \($0)" } ?? "")] + left
    }
}
