internal import LocatedJSON
internal import CommandLineInterface
internal import ConfigurationFields
internal import PipelineCore

/// Whose letters a command is about, and through whom.
struct DeadLetterTarget: Sendable {
    private let server: AdminAddress?
    private let pipeline: String

    init(_ field: Fields) {
        server = AdminAddress(field)
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
        if let server { return try RemoteDeadLetters(server, pipeline: pipeline) }
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
    let after: String?
    let format: Format
    let target: DeadLetterTarget

    init(_ field: Fields) {
        conditions = DeadLetterConditions(field)
        withSettled = field(
            "settled",
            "Those in dead-letter topics, too, that were replayed or dropped and still lie there.",
            default: false)
        limit = field(
            "limit", "Most letters. Where there are more, that is said.",
            default: 100, in: 1...100_000)
        after = field.optional(
            "after", "Only those behind this one in the list.",
            example: "bus:report-requests.dead-letters/0/17")
        format = field(
            "format",
            "How they are printed; json has everything, an object a line, and the last one says as `truncated` that it was not all.",
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
                .init("Pipelines/conversion-reports.json", "The oldest hundred.")
            ]
        ) { options, console in
            var filter = options.conditions.filter
            filter.includesSettled = options.withSettled
            let after = try options.after.map { try DeadLetterID($0) }
            return try await options.target.using(catalogue, console) { letters in
                var list = DeadLetterList(options.format, limit: options.limit, after: after)
                var token: String?
                repeat {
                    let page = try await letters.page(
                        of: nil, filter, after: token, limit: min(list.wanted, Self.page))
                    for letter in page.letters { list.add(letter, console) }
                    token = page.next
                    list.end(isLast: token == nil, total: page.total, console)
                } while token != nil && !list.isFull
                try list.checkFound()
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

/// Letters as they are printed, one behind the other: whether one is the last is known by the next.
private struct DeadLetterList {
    private let format: ListDeadLettersOptions.Format
    private let limit: Int
    private let after: DeadLetterID?
    private var isBehind: Bool
    private var shown = 0
    private var last: DeadLetterEntry?
    private var isTruncated = false

    init(_ format: ListDeadLettersOptions.Format, limit: Int, after: DeadLetterID?) {
        self.format = format
        self.limit = limit
        self.after = after
        isBehind = after == nil
    }

    /// How many letters to ask for.
    var wanted: Int { isBehind ? max(1, limit - shown) : .max }
    var isFull: Bool { isTruncated || shown >= limit }

    mutating func add(_ letter: DeadLetterEntry, _ console: Console) {
        guard isBehind else {
            isBehind = letter.id == after
            return
        }
        guard shown < limit else {
            isTruncated = true
            return
        }
        if let last { console.out(line(last)) }
        last = letter
        shown += 1
    }

    /// A page has ended.
    ///
    /// - Parameter isLast: whether there are no more letters.
    mutating func end(isLast: Bool, total: Int?, _ console: Console) {
        if shown >= limit, !isLast { isTruncated = true }
        guard isLast || isFull, let last else { return }
        console.out(line(last, truncatedOf: isTruncated ? .some(total) : nil))
        self.last = nil
        if isTruncated, format == .text {
            let all = total.map { " of \($0)" } ?? ", and there are more"
            console.err(
                "\(shown)\(all), oldest first; --limit N or --after \(last.id) for more\n")
        }
    }

    private func line(_ letter: DeadLetterEntry, truncatedOf total: Int?? = nil) -> String {
        guard format == .json else { return letter.line + "\n" }
        var json = letter.json
        if let total, let members = json.members {
            let truncated: JSON = .object([
                ("shown", .number(shown)), ("total", total.map { .number($0) } ?? .null),
            ])
            json = .object(members.map { ($0.key, $0.value) } + [("truncated", truncated)])
        }
        return json.written(.compact) + "\n"
    }

    /// - Throws: ``CommandFailure`` when the list does not have the letter behind which it was to
    ///   begin.
    func checkFound() throws {
        guard let after, !isBehind else { return }
        throw CommandFailure(
            .failure, "the list has no letter \(after), or no more: list it from its beginning")
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
