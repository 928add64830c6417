internal import CommandLineInterface
internal import ConfigurationFields
internal import DryRunReport
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
