internal import CommandLineInterface
internal import ConfigurationFields
internal import LocatedJSON
internal import PipelineCore

private struct GetPositionsOptions: Settings {
    enum Format: String, Choice { case text, json }

    static let summary = "Tells where the inputs are read from next."
    let choice: StageChoice
    let format: Format

    init(_ field: Fields) {
        choice = StageChoice(field)
        format = field(
            "format", "How they are printed; json has an object a line.", default: .text)
    }
}

private struct SetPositionsOptions: Settings {
    static let summary = "Makes inputs be read from somewhere else."
    let choice: StageChoice
    let log: String
    private let written: [String]

    init(_ field: Fields) {
        choice = StageChoice(field)
        log = field.argument(
            "LOG", "As `get` names it; a topic's or a file's own name will do.",
            example: "report-requests")
        written = field.arguments(
            "PARTITION=OFFSET", "The next record to read; others stay where they are.",
            example: ["0=1200"])
    }

    /// - Throws: ``CommandFailure`` `usage`.
    func wanted() throws -> [Int32: Int64] {
        var wanted: [Int32: Int64] = [:]
        for text in written {
            let parts = text.split(separator: "=", omittingEmptySubsequences: false)
            guard parts.count == 2, let partition = Int32(parts[0]), partition >= 0,
                let offset = Int64(parts[1]), offset >= 0, wanted[partition] == nil
            else {
                throw CommandFailure(
                    .usage, "\"\(text)\": expected PARTITION=OFFSET, each partition once: 0=1200")
            }
            wanted[partition] = offset
        }
        return wanted
    }
}

extension PenstockCommand {
    static func positions(_ catalogue: Catalogue) -> Command {
        Command(
            "positions", "Where a pipeline's inputs are read from.",
            details: """
                The ledger keeps, with the cases, how far each partition of an input has been taken \
                in. Works beside a running `penstock run`, and without one.
                """,
            examples: [
                .init("get Pipelines/conversion-reports.json", "By log and partition."),
                .init(
                    "set Pipelines/conversion-reports.json report-requests 0=1200",
                    "After `penstock pause --intake`."),
            ],
            commands: [getPositions(catalogue), setPositions(catalogue)])
    }

    private static func getPositions(_ catalogue: Catalogue) -> Command {
        Command(
            "get", GetPositionsOptions.self,
            examples: [.init("Pipelines/conversion-reports.json", "All of them.")]
        ) { options, console in
            try await options.choice.using(catalogue, console) { operations in
                for log in try await operations.positions() {
                    print(log, options.format, console)
                }
            }
            return .success
        }
    }

    private static func setPositions(_ catalogue: Catalogue) -> Command {
        Command(
            "set", SetPositionsOptions.self,
            details: """
                Only while the ingest stages are paused (`penstock pause --intake`), and only to \
                where the log can be read from: the bus is asked for what each partition holds, of \
                a file where its lines begin (its offsets are bytes, of partition 0). What is read \
                a second time is known by its id, and so answered once; what is passed over is \
                lost to the pipeline. Whoever had read on from the old position finds out, and \
                begins again at the new one after `penstock resume`.
                """,
            examples: [
                .init(
                    "Pipelines/conversion-reports.json report-requests 0=1200 1=1180",
                    "Reads the last records once more.")
            ]
        ) { options, console in
            let wanted = try options.wanted()
            try await options.choice.using(catalogue, console) { operations in
                let log = try await operations.setPositions(wanted, of: options.log)
                print(log, .text, console)
            }
            return .success
        }
    }

    private static func print(
        _ log: LogPositions, _ format: GetPositionsOptions.Format, _ console: Console
    ) {
        for (partition, offset) in log.next.sorted(by: { $0.key < $1.key }) {
            switch format {
            case .text: console.out("\(log.log)  \(partition)  \(offset)\n")
            case .json:
                let line = JSON.object([
                    ("log", .string(log.log)), ("partition", .number(Int(partition))),
                    ("offset", .number(Int(offset))),
                ])
                console.out(line.written(.compact) + "\n")
            }
        }
    }
}

private struct ChangesOptions: Settings {
    enum Format: String, Choice { case text, json }

    static let summary = "Lists what operators have changed, and who they were."
    let choice: StageChoice
    let limit: Int
    let format: Format

    init(_ field: Fields) {
        choice = StageChoice(field)
        limit = field("limit", "Most changes, the latest.", default: 100, in: 1...10_000)
        format = field(
            "format", "How they are printed; json has an object a line.", default: .text)
    }
}

extension PenstockCommand {
    static func changes(_ catalogue: Catalogue) -> Command {
        Command(
            "changes", ChangesOptions.self,
            details: """
                Pauses, flushes, cancellations, positions: each was noted in the ledger when it was \
                asked for, and logged by every process that runs the pipeline.
                """,
            examples: [.init("Pipelines/conversion-reports.json", "The latest hundred.")]
        ) { options, console in
            try await options.choice.using(catalogue, console) { operations in
                for change in try await operations.changes(limit: options.limit) {
                    switch options.format {
                    case .text:
                        console.out(
                            "\(change.at.toSeconds)  \(change.actor)  \(change.action)\n")
                    case .json:
                        let line = JSON.object([
                            ("change", .number(Int(change.number))), ("at", change.at.json),
                            ("actor", .string(change.actor)), ("action", .string(change.action)),
                        ])
                        console.out(line.written(.compact) + "\n")
                    }
                }
            }
            return .success
        }
    }
}
