internal import LocatedJSON
internal import CommandLineInterface
internal import ConfigurationFields
internal import PipelineCore

/// Whose letters a command is about, and through whom.
struct DeadLetterTarget: Sendable {
    private let server: String?
    private let pipeline: String

    init(_ field: Fields) {
        server = StageChoice.server(field)
        pipeline = .pipelineFile(field)
    }

    /// Runs `body` with what may be done there, and lets go of it.
    ///
    /// - Throws: ``CommandFailure``.
    func using(
        _ catalogue: Catalogue, _ console: Console,
        _ body: (any DeadLetterOperations) async throws -> Void
    ) async throws -> ExitCode {
        do {
            let letters = try await open(catalogue, console)
            do { try await body(letters) } catch {
                await letters.close()
                throw error
            }
            await letters.close()
            return .success
        } catch let error as PipelineError {
            throw CommandFailure(error.exitCode, error.description)
        }
    }

    private func open(
        _ catalogue: Catalogue, _ console: Console
    ) async throws -> any DeadLetterOperations {
        if let server { return try RemoteDeadLetters(server: server, pipeline: pipeline) }
        let definition = try PipelineFiles.read(
            [pipeline], catalogue: catalogue, console: console)[0]
        return try await DeadLetterAccess(
            definition, by: ProcessEnvironment.user, catalogue: catalogue)
    }
}

/// Which letters a command is about.
struct DeadLetterConditions: Sendable {
    private let stage: String?
    private let code: String?
    private let olderThan: Duration?
    private let newerThan: Duration?

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

    /// As of now.
    fileprivate var filter: DeadLetterFilter {
        let now = PipelineClock.system.timestamp
        return DeadLetterFilter(
            stage: stage, code: code, keptFrom: newerThan.map { now.advanced(by: .zero - $0) },
            keptBefore: olderThan.map { now.advanced(by: .zero - $0) })
    }
}

struct ListDeadLettersOptions: Settings {
    enum Format: String, Choice { case text, json }

    static let summary = "Lists what waits for an operator, the oldest first."
    let conditions: DeadLetterConditions
    let withSettled: Bool
    let limit: Int
    let format: Format
    let target: DeadLetterTarget

    init(_ field: Fields) {
        conditions = DeadLetterConditions(field)
        withSettled = field(
            "settled",
            "Those in dead-letter topics, too, that were replayed or dropped and still lie there.",
            default: false)
        limit = field(
            "limit", "Most letters of a kind: outcomes, records in a store, records in topics.",
            default: 100, in: 1...100_000)
        format = field(
            "format", "How they are printed; json has everything, an object a line.",
            default: .text)
        target = DeadLetterTarget(field)
    }
}

private struct ShowDeadLetterOptions: Settings {
    static let summary = "Prints one letter with everything that is known of it."
    let target: DeadLetterTarget
    let id: String

    init(_ field: Fields) {
        target = DeadLetterTarget(field)
        id = field.argument("ID", "As `list` names it.", example: "17")
    }
}

private struct MoveDeadLettersOptions: Settings {
    static let summary = "Moves letters."
    private let conditions: DeadLetterConditions
    private let all: Bool
    let target: DeadLetterTarget
    private let ids: [String]

    init(_ field: Fields) {
        conditions = DeadLetterConditions(field)
        all = field(
            "all", "All of them, or all of that stage, that code and that age.", default: false)
        target = DeadLetterTarget(field)
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
            "dead-letters", "What stages, sinks and topics have refused for good.",
            details: """
                Outcomes that a sink has refused are parked (their ids name the sink, the case and \
                its revision). Records that a stage has refused lie in the dead-letter topic of \
                their input (their ids name the bus, the topic, the partition and the offset; \
                records of others in it are shown as `foreign`, and can only be dropped); those \
                that their dead-letter topic does not take are kept in the store as they came \
                (their ids are numbers). What was replayed or dropped of a topic stays there until \
                its retention ends; the store remembers it, for all pipelines that read the topic. \
                Works beside a running `penstock run`, by the pipeline's file or by --server. \
                Topics are read beside the consumer groups: nobody's position moves. A bus that \
                can't be reached is told of within 15 seconds.
                """,
            examples: [
                .init("list Pipelines/conversion-reports.json", "What is there, and why."),
                .init(
                    "replay Pipelines/conversion-reports.json --all",
                    "Once the topic has been mended."),
            ],
            commands: [list(catalogue), show(catalogue), replay(catalogue), drop(catalogue)])
    }

    /// Letters that are asked for at once.
    private static let page = 500

    private static func list(_ catalogue: Catalogue) -> Command {
        Command(
            "list", ListDeadLettersOptions.self,
            examples: [
                .init("Pipelines/conversion-reports.json", "The oldest hundred of each kind.")
            ]
        ) { options, console in
            var filter = options.conditions.filter
            filter.includesSettled = options.withSettled
            return try await options.target.using(catalogue, console) { letters in
                for place in LetterPlace.allCases {
                    var (left, token): (Int, String?) = (options.limit, nil)
                    repeat {
                        let page = try await letters.page(
                            of: place, filter, after: token, limit: min(left, Self.page))
                        for letter in page.letters {
                            console.out(
                                options.format == .json
                                    ? letter.json.written(.compact) + "\n" : letter.line + "\n")
                        }
                        left -= page.letters.count
                        token = page.next
                    } while token != nil && left > 0
                }
            }
        }
    }

    private static func show(_ catalogue: Catalogue) -> Command {
        Command(
            "show", ShowDeadLetterOptions.self,
            examples: [.init("Pipelines/conversion-reports.json 17", "Key, payload, headers, why.")]
        ) { options, console in
            let id = try DeadLetterID(options.id)
            return try await options.target.using(catalogue, console) { letters in
                guard let letter = try await letters.letter(id) else {
                    throw CommandFailure(.failure, "there is no letter \(options.id)")
                }
                console.out(letter.json.written(.pretty) + "\n")
            }
        }
    }

    private static func replay(_ catalogue: Catalogue) -> Command {
        Command(
            "replay", ReplayDeadLettersOptions.self,
            details: """
                An outcome is delivered again with the same event id and the same bytes. A record \
                is sent to the topic that it came from, with the place where it stood in headers, \
                goes through the pipeline's stages as if it were new, and is removed here, or \
                remembered as settled, once the topic has it. A replay that was killed half-way is \
                repeated: what had been sent and not yet removed is sent again, and the ledger \
                takes a case once.
                """,
            examples: [
                .init("Pipelines/conversion-reports.json --all", "Everything."),
                .init("Pipelines/conversion-reports.json 17 18", "These two."),
            ]
        ) { options, console in
            let chosen = try options.move.chosen()
            return try await options.move.target.using(catalogue, console) { letters in
                let result = try await letters.replay(chosen)
                if let first = result.problems.first {
                    let others =
                        result.stuckCount == 1 ? "" : "; nor can \(result.stuckCount - 1) others"
                    throw CommandFailure(.failure, "\(result.count) replayed; \(first)\(others)")
                }
                console.out("\(result.count) to be tried again\n")
                try options.move.checkAll(found: result.count)
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
            let chosen = try options.move.chosen()
            return try await options.move.target.using(catalogue, console) { letters in
                let count = try await letters.drop(chosen)
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
    fileprivate func chosen() throws -> ChosenLetters {
        guard all == ids.isEmpty else {
            throw CommandFailure(
                .usage,
                all ? "either ids or --all, not both" : "name ids, or --all with or without filters"
            )
        }
        if !ids.isEmpty, !conditions.isEverything {
            throw CommandFailure(
                .usage,
                "--stage, --code, --older-than and --newer-than go with --all; ids need none")
        }
        return all ? .all(conditions.filter) : .ids(try ids.map { try DeadLetterID($0) })
    }
}
