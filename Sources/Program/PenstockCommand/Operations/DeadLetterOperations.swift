internal import CommandLineInterface
internal import Calendar
internal import LocatedJSON
internal import PipelineCore

/// What operators do with what was refused for good: on the pipeline's stores and buses, beside
/// whoever runs it, or through the admin service of a process that does.
///
/// Errors are ``CommandFailure``s and ``PipelineError``s.
protocol DeadLetterOperations: Sendable {
    /// Letters in the order of their times, wherever they lie; those of one partition or store in
    /// the order in which they lie there.
    ///
    /// - Parameters:
    ///   - place: where they lie; `nil`: anywhere.
    ///   - token: of the page before.
    func page(
        of place: LetterPlace?, _ filter: DeadLetterFilter, after token: String?, limit: Int
    ) async throws -> DeadLetterPage
    /// Settled or not; `nil` without such a letter.
    func letter(_ id: DeadLetterID) async throws -> DeadLetterEntry?
    func replay(_ chosen: ChosenLetters) async throws -> DeadLetterReplayed
    /// Answers how many are gone.
    func drop(_ chosen: ChosenLetters) async throws -> Int
    func close() async
}

/// Where letters lie.
enum LetterPlace: String, Sendable, CaseIterable {
    /// Outcomes that a sink has refused, in a ledger.
    case sink
    /// Records that their dead-letter topic does not take, in a store.
    case store
    /// Records in the dead-letter topic of an input.
    case topic
}

/// A part of a list.
struct DeadLetterPage: Sendable {
    /// About this many bytes of letters are a page, whatever the limit.
    static let bytes = 1 << 20
    var letters: [DeadLetterEntry] = []
    /// `nil` when there are no more.
    var next: String?
    /// How many there are in all, as far as offsets tell; `nil` where only some are listed, by
    /// stage, code or time.
    var total: Int?
}

/// What became of letters that were to be replayed.
struct DeadLetterReplayed: Sendable {
    private static let mostProblems = 20

    var count = 0
    var stuckCount = 0
    /// Why letters can't be replayed: a sentence each, for the first of them.
    var problems: [String] = []

    mutating func stuck(_ problem: String) {
        stuckCount += 1
        if problems.count < Self.mostProblems { problems.append(problem) }
    }
}

/// Which letters are listed: those that meet every condition that is set.
struct DeadLetterFilter: Sendable, Hashable {
    /// The stage that refused a record, the sink of an outcome.
    var stage: String?
    var code: String?
    var keptFrom: Timestamp?
    var keptBefore: Timestamp?
    /// In topics, those that were replayed or dropped, too.
    var includesSettled = false

    var isEverything: Bool {
        stage == nil && code == nil && keptFrom == nil && keptBefore == nil
    }

    /// As it stands among the changes.
    var text: String {
        let filters = [
            stage.map { "of \($0)" }, code.map { "refused for \($0)" },
            keptFrom.map { "kept since \($0.text)" }, keptBefore.map { "kept before \($0.text)" },
        ].compactMap { $0 }
        return (["all"] + filters).joined(separator: " ")
    }

    var parked: ParkedSelection {
        var selection = ParkedSelection(sink: stage, code: code)
        selection.parkedFrom = keptFrom
        selection.parkedBefore = keptBefore
        return selection
    }

    var stored: DeadLetterSelection {
        var selection = DeadLetterSelection(stage: stage, code: code)
        selection.keptFrom = keptFrom
        selection.keptBefore = keptBefore
        return selection
    }

    func meets(_ letter: TopicLetter) -> Bool {
        (stage == nil || letter.rejection?.stage == stage)
            && (code == nil || letter.rejection?.code.name == code)
            && keptFrom.map { letter.record.timestamp >= $0 } ?? true
            && keptBefore.map { letter.record.timestamp < $0 } ?? true
            && (includesSettled || !letter.isSettled)
    }
}

/// Which letters are moved.
enum ChosenLetters: Sendable {
    case all(DeadLetterFilter)
    /// Those that name no letter are passed over, and what is settled is none.
    case ids([DeadLetterID])

    /// The one that all of them are to be of.
    var stage: String? { if case .all(let filter) = self { filter.stage } else { nil } }

    /// As it stands among the changes.
    var text: String {
        switch self {
        case .all(let filter): filter.text
        case .ids(let ids):
            ids.prefix(5).map(\.description).joined(separator: ", ")
                + (ids.count > 5 ? " and \(ids.count - 5) more" : "")
        }
    }
}

/// Names a letter.
enum DeadLetterID: Sendable, Hashable, CustomStringConvertible {
    /// The number of a record in a store: `17`.
    case stored(Int64)
    /// `ready:CASE:REVISION`. Without the revision, as earlier versions wrote it, the case's only
    /// outcome that the sink has refused.
    case outcome(sink: String, UUID, revision: Int?)
    /// `bus:TOPIC/PARTITION/OFFSET`
    case topic(TopicLetter.Place)

    /// - Throws: ``CommandFailure`` `usage` for what is no id.
    init(_ text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if let number = Int64(text) {
            self = .stored(number)
        } else if let place = TopicLetter.Place(text) {
            self = .topic(place)
        } else if parts.count == 2, let id = UUID(parts[1]) {
            self = .outcome(sink: String(parts[0]), id, revision: nil)
        } else if parts.count == 3, let id = UUID(parts[1]), let revision = Int(parts[2]) {
            self = .outcome(sink: String(parts[0]), id, revision: revision)
        } else {
            throw CommandFailure(.usage, "\"\(text.prefix(300))\" is no id: `list` tells them")
        }
    }

    var description: String {
        switch self {
        case .stored(let number): "\(number)"
        case .outcome(let sink, let id, nil): "\(sink):\(id)"
        case .outcome(let sink, let id, let revision?): "\(sink):\(id):\(revision)"
        case .topic(let place): "\(place)"
        }
    }
}

/// A record in the dead-letter topic of an input.
struct TopicLetter: Sendable {
    /// Where it lies.
    struct Place: Sendable, Hashable, CustomStringConvertible {
        /// The bus, by its name in the pipeline's file.
        var resource: String
        var topic: String
        var partition: Int32
        var offset: Int64

        var description: String { "\(resource):\(topic)/\(partition)/\(offset)" }
    }
    var place: Place
    /// As it lies there.
    var record: Record
    /// `nil` for a record that somebody else has put there.
    var rejection: Rejection?
    /// Whether it has been replayed or dropped.
    var isSettled: Bool
}

extension TopicLetter.Place {
    /// `nil` for what is none.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count >= 3, let offset = Int64(parts[parts.count - 1]),
            let partition = Int32(parts[parts.count - 2])
        else { return nil }
        let head = parts.dropLast(2).joined(separator: "/")
        // No topic's name has a colon.
        guard let colon = head.lastIndex(of: ":") else { return nil }
        self.init(
            resource: String(head[..<colon]), topic: String(head[head.index(after: colon)...]),
            partition: partition, offset: offset)
    }
}

/// One letter, wherever it lies.
enum DeadLetterEntry: Sendable {
    case outcome(ParkedOutcome)
    case stored(StoredDeadLetter)
    case topic(TopicLetter)

    var id: DeadLetterID {
        switch self {
        case .outcome(let outcome):
            .outcome(sink: outcome.sink, outcome.caseID, revision: outcome.revision)
        case .stored(let letter): .stored(letter.number)
        case .topic(let letter): .topic(letter.place)
        }
    }

    /// Bytes of key, payload and headers.
    var byteCount: Int {
        switch self {
        case .outcome: 0
        case .stored(let letter): letter.rejection.record.byteCount
        case .topic(let letter): letter.record.byteCount
        }
    }

    /// For people: id, kind, stage, code, tries or place, why.
    var line: String {
        switch self {
        case .outcome(let outcome):
            "\(id)  outcome\(outcome.isDue ? " (on its way)" : "")  \(outcome.sink)  \(outcome.code)"
                + "  refused \(outcome.attempts) ×  \(outcome.reason)"
        case .stored(let letter): "\(id)  record  \(letter.rejection.line)"
        case .topic(let letter):
            "\(id)  record\(letter.isSettled ? " (settled)" : "")  "
                + (letter.rejection?.line.printable
                    ?? "not Penstock's: it has none of its headers, \(letter.record.timestamp.text)")
        }
    }

    /// Everything.
    var json: JSON {
        switch self {
        case .outcome(let outcome):
            .object([
                ("id", .string("\(id)")), ("kind", "outcome"), ("sink", .string(outcome.sink)),
                ("batch", .number(Int(outcome.batch))),
                ("case_id", .string(outcome.caseID.description)),
                ("revision", .number(outcome.revision)),
                ("event_id", .string(outcome.outcomeID.description)),
                ("code", .string(outcome.code.name)), ("reason", .string(outcome.reason)),
                ("attempts", .number(outcome.attempts)),
                ("parked_at", outcome.parkedAt.json),
                ("is_due", .bool(outcome.isDue)),
            ])
        case .stored(let letter):
            .object(
                [
                    ("id", .string("\(id)")), ("kind", "record"),
                    (
                        "kept_at_microseconds",
                        letter.keptAt.map { .number(Int($0.microseconds)) } ?? .null
                    ),
                ] + (letter.json.members ?? []).map { ($0.key, $0.value) })
        case .topic(let letter): letter.json
        }
    }
}

extension TopicLetter {
    fileprivate var json: JSON {
        let head: [(String, JSON)] = [
            ("id", .string("\(place)")), ("kind", rejection == nil ? "foreign" : "record"),
            ("kept_at_microseconds", .number(Int(record.timestamp.microseconds))),
            ("is_settled", .bool(isSettled)), ("resource", .string(place.resource)),
        ]
        // The record's own time is not among the headers.
        let record = (rejection?.record ?? record).members
            .filter { $0.0 != "timestamp_microseconds" }
        return .object(head + (rejection?.members ?? []) + record)
    }
}

extension Rejection {
    fileprivate var line: String { "\(stage)  \(code)  \(record.origin)  \(reason)" }
}

extension Record {
    fileprivate var byteCount: Int {
        (key?.count ?? 0) + payload.count
            + headers.reduce(0) { $0 + $1.name.utf8.count + ($1.value?.count ?? 0) }
    }
}

extension Timestamp {
    fileprivate var text: String {
        CivilTime(microsecondsSinceEpoch: microseconds).rfc3339(.shortest)
    }
}
