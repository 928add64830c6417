internal import LocatedJSON
internal import CommandLineInterface
internal import ConfigurationFields
internal import PipelineCore

/// Which letters a command is about.
struct DeadLetterChoice: Sendable {
    let stage: String?
    let code: String?
    let olderThan: Duration?
    let newerThan: Duration?

    init(_ field: Fields) {
        stage = field.optional(
            "stage",
            "Only those of this stage: the one that refused a record, the sink of an outcome.",
            example: "ready")
        code = field.optional("code", "Only those refused for this.", example: "record-too-large")
        olderThan = field.optional(
            "older_than", "Only those kept for longer than this.", example: .hours(24))
        newerThan = field.optional(
            "newer_than", "Only those kept for no longer than this.", example: .hours(1))
    }

    fileprivate var isEverything: Bool {
        stage == nil && code == nil && olderThan == nil && newerThan == nil
    }
}

struct ListDeadLettersOptions: Settings {
    enum Format: String, Choice { case text, json }

    static let summary = "Lists what waits for an operator, the oldest first."
    let choice: DeadLetterChoice
    let limit: Int
    let format: Format
    let pipeline: String

    init(_ field: Fields) {
        choice = DeadLetterChoice(field)
        limit = field("limit", "Most letters of a kind.", default: 100, in: 1...100_000)
        format = field(
            "format", "How they are printed; json has everything, an object a line.",
            default: .text)
        pipeline = .pipelineFile(field)
    }
}

private struct ShowDeadLetterOptions: Settings {
    static let summary = "Prints one letter with everything that is known of it."
    let pipeline: String
    let id: String

    init(_ field: Fields) {
        pipeline = .pipelineFile(field)
        id = field.argument("ID", "As `list` names it.", example: "17")
    }
}

private struct MoveDeadLettersOptions: Settings {
    static let summary = "Moves letters."
    private let choice: DeadLetterChoice
    private let all: Bool
    let pipeline: String
    private let ids: [String]

    init(_ field: Fields) {
        choice = DeadLetterChoice(field)
        all = field(
            "all", "All of them, or all of that stage, that code and that age.", default: false)
        pipeline = .pipelineFile(field)
        ids = field.arguments("ID", "As `list` names them.", example: ["17"], default: [])
    }
}

private struct ReplayDeadLettersOptions: Settings {
    static let summary =
        "Tries again: hands records to where they came from, outcomes to their sink."
    let move: MoveDeadLettersOptions
    init(_ field: Fields) { move = MoveDeadLettersOptions(field) }
}

private struct DropDeadLettersOptions: Settings {
    static let summary = "Gives letters up for ever, and says how many."
    let move: MoveDeadLettersOptions
    init(_ field: Fields) { move = MoveDeadLettersOptions(field) }
}

extension String {
    /// The argument of commands that work on what one pipeline keeps.
    static func pipelineFile(_ field: Fields) -> String {
        field.argument(
            "PIPELINE", "The pipeline's file.", example: "Pipelines/conversion-reports.json",
            completion: .files)
    }
}

extension PenstockCommand {
    static func deadLetters(_ catalogue: Catalogue) -> Command {
        Command(
            "dead-letters", "What sinks and topics have refused for good, and the store keeps.",
            details: """
                Outcomes that a sink has refused are parked (their ids name the sink and the \
                case); records whose dead-letter topic does not take them are kept as they came \
                (their ids are numbers). What lies in `<topic>.dead-letters` is read by any client \
                of the bus. Works beside a running `penstock run`.
                """,
            examples: [
                .init("list Pipelines/conversion-reports.json", "What is there, and why."),
                .init(
                    "replay Pipelines/conversion-reports.json --all",
                    "Once the topic has been mended."),
            ],
            commands: [list(catalogue), show(catalogue), replay(catalogue), drop(catalogue)])
    }

    private static func list(_ catalogue: Catalogue) -> Command {
        Command(
            "list", ListDeadLettersOptions.self,
            examples: [
                .init("Pipelines/conversion-reports.json", "The oldest hundred of each kind.")
            ]
        ) { options, console in
            let access = try await DeadLetterAccess.open(options.pipeline, catalogue, console)
            return try await access.using {
                for letter in try await access.letters(
                    .init(options.choice), limit: options.limit)
                {
                    console.out(
                        options.format == .json
                            ? letter.json.written(.compact) + "\n" : letter.line + "\n")
                }
            }
        }
    }

    private static func show(_ catalogue: Catalogue) -> Command {
        Command(
            "show", ShowDeadLetterOptions.self,
            examples: [.init("Pipelines/conversion-reports.json 17", "Key, payload, headers, why.")]
        ) { options, console in
            let access = try await DeadLetterAccess.open(options.pipeline, catalogue, console)
            return try await access.using {
                console.out(try await access.letter(options.id).json.written(.pretty) + "\n")
            }
        }
    }

    private static func replay(_ catalogue: Catalogue) -> Command {
        Command(
            "replay", ReplayDeadLettersOptions.self,
            details: """
                An outcome is delivered again with the same event id and the same bytes. A record \
                is sent to the topic that it came from, with the place where it stood in headers, \
                goes through the pipeline's stages as if it were new, and is removed here once the \
                topic has it. A replay that was killed half-way is repeated: what had been sent \
                and not yet removed is sent again, and the ledger takes a case once.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json --all", "Everything."),
                .init("Pipelines/conversion-reports.json 17 18", "These two."),
            ]
        ) { options, console in
            let access = try await DeadLetterAccess.open(options.move.pipeline, catalogue, console)
            return try await access.using {
                let count = try await access.replay(try options.move.selected())
                console.out("\(count) to be tried again\n")
                try options.move.checkAll(found: count)
            }
        }
    }

    private static func drop(_ catalogue: Catalogue) -> Command {
        Command(
            "drop", DropDeadLettersOptions.self,
            examples: [
                .init("Pipelines/conversion-reports.json --all --code malformed", "All of a code.")
            ]
        ) { options, console in
            let access = try await DeadLetterAccess.open(options.move.pipeline, catalogue, console)
            return try await access.using {
                let count = try await access.drop(try options.move.selected())
                console.out("\(count) dropped\n")
                try options.move.checkAll(found: count)
            }
        }
    }
}

extension MoveDeadLettersOptions {
    /// - Throws: ``CommandFailure`` when there were fewer letters than ids that name one.
    fileprivate func checkAll(found count: Int) throws {
        let missing = Set(ids).count - count
        if missing > 0 {
            throw CommandFailure(.failure, "\(missing) of these ids name no letter")
        }
    }

    /// - Throws: ``CommandFailure`` `usage` when it is not clear what is meant.
    fileprivate func selected() throws -> DeadLetterAccess.Selected {
        guard all == ids.isEmpty else {
            throw CommandFailure(
                .usage,
                all ? "either ids or --all, not both" : "name ids, or --all with or without filters"
            )
        }
        if !ids.isEmpty, !choice.isEverything {
            throw CommandFailure(
                .usage,
                "--stage, --code, --older-than and --newer-than go with --all; ids need none")
        }
        return all ? .init(choice) : try .init(ids: ids)
    }
}
