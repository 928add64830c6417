internal import Calendar
public import ConfigurationFields
internal import LocatedJSON
public import PipelineCore

/// One step of a transcript: exactly one of `input`, `advance`, `flush` and `expect`.
struct TranscriptStep: Settings {
    static let summary = "Something that happens, or that must have happened."

    let input: TranscriptCases?
    let deadline: Duration?
    let advance: TranscriptTime?
    let flush: Bool
    private let expect: TranscriptBatches?
    let next: TranscriptTime?
    let waiting: Int?

    init(_ field: Fields) {
        input = field.optional(
            "input", "Cases that arrive, by name, or how many.", example: .named(["a", "b"]))
        deadline = field.optional(
            "deadline", "How far away the deadline of the input is.", example: .hours(1))
        advance = field.optional(
            "advance", "How much time passes, or until when.", example: .after(.minutes(5)))
        flush = field("flush", "Somebody asks for a flush.", default: false)
        expect = field.optional(
            "expect", "The batches that are sealed when the rule is looked at now.",
            example: TranscriptBatches(list: []))
        next = field.optional(
            "next", "With expect: when the rule has to be looked at again.", example: .never)
        waiting = field.optional(
            "waiting", "With expect: how many cases wait afterwards.", example: 1)
    }

    enum Action {
        case input(TranscriptCases, deadline: Duration?)
        case advance(TranscriptTime)
        case flush
        case expect([TranscriptBatches.Batch])
    }

    /// - Throws: ``ConformanceFailure`` for a step that is none, or two.
    var action: Action {
        get throws {
            var actions: [Action] = []
            if let input { actions.append(.input(input, deadline: deadline)) }
            if let advance { actions.append(.advance(advance)) }
            if flush { actions.append(.flush) }
            if let expect { actions.append(.expect(expect.list)) }
            try require(
                actions.count == 1, "one of input, advance, flush and expect makes a step")
            try require(
                expect != nil || (next == nil && waiting == nil),
                "next and waiting belong to expect")
            try require(
                input != nil || deadline == nil, "a deadline belongs to an input")
            return actions[0]
        }
    }
}

/// `["a", "b"]`, or how many cases whose names do not matter.
enum TranscriptCases: FieldValue {
    case named([String])
    case number(Int)

    static let kind = "list of names, or a number"
    static let schema: JSON = ["type": ["array", "integer"]]

    static func decode(_ json: JSON, in context: DecodingContext) -> TranscriptCases? {
        if json.items == nil { return context.decode(Int.self, from: json).map(number) }
        return context.decode([String].self, from: json).map(named)
    }

    var json: JSON {
        switch self {
        case .named(let names): names.json
        case .number(let number): number.json
        }
    }
}

/// Batches as a transcript expects them: in order, each with its reason, and its cases or their
/// number.
struct TranscriptBatches: FieldValue {
    struct Batch: Settings {
        static let summary = "A batch that must have been sealed."
        let closedBy: String
        /// Earliest deadline first.
        let cases: [String]?
        let size: Int?

        init(_ field: Fields) {
            closedBy = field("closed_by", "The trigger that sealed it.", example: "count")
            cases = field.optional(
                "cases", "Its cases, earliest deadline first.", example: ["a", "b"])
            size = field.optional("size", "How many cases it has.", example: 2)
        }
    }

    static let kind = "list of batches"
    static let schema: JSON = ["type": "array", "items": ["type": "object"]]

    fileprivate var list: [Batch]

    static func decode(_ json: JSON, in context: DecodingContext) -> TranscriptBatches? {
        guard let items = json.items else { return context.refuse(json, as: Self.self) }
        let batches = items.enumerated().map { index, item in
            context.at(index).decode(settings: Batch.self, from: item)
        }
        let list = batches.compactMap(\.self)
        return list.count == batches.count ? TranscriptBatches(list: list) : nil
    }

    var json: JSON { .array(list.map { ["closed_by": .string($0.closedBy)] }) }
}

/// A point of time in a transcript: `5m` from the step's own time, `2026-03-29T01:00:00Z`, `never`.
enum TranscriptTime: TextValue, Equatable {
    case after(Duration)
    case at(Timestamp)
    case never

    static let kind = "duration, time or \"never\""

    init(parsing text: String) throws(Refusal) {
        if text == "never" {
            self = .never
        } else if text.contains("T") {
            self = .at(try Timestamp(parsing: text))
        } else {
            self = .after(try Duration(parsing: text))
        }
    }

    func instant(from now: Timestamp) -> Timestamp? {
        switch self {
        case .after(let duration): now.advanced(by: duration)
        case .at(let instant): instant
        case .never: nil
        }
    }

    var text: String {
        switch self {
        case .after(let duration): duration.text
        case .at(let instant): instant.text
        case .never: "never"
        }
    }
}

extension Timestamp: TextValue {
    public static var kind: String { "time such as 2026-03-29T01:00:00Z" }

    /// Reads whole seconds of UTC ([RFC 3339](https://www.rfc-editor.org/rfc/rfc3339)).
    public init(parsing text: String) throws(Refusal) {
        let numbers = text.split { !$0.isNumber }.compactMap { Int64($0) }
        guard numbers.count == 6 else { throw Refusal(.wrongType, "is not a \(Self.kind)") }
        let date = CivilDate(year: numbers[0], month: numbers[1], day: numbers[2])
        let seconds = numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
        self.init(microseconds: (date.daysSinceEpoch * 86_400 + seconds) * 1_000_000)
        guard self.text == text else { throw Refusal(.wrongType, "is not a \(Self.kind)") }
    }

    /// With six digits of a second, unless they are zero.
    public var text: String {
        CivilTime(microsecondsSinceEpoch: microseconds).rfc3339(.microsecondsUnlessZero)
    }
}
