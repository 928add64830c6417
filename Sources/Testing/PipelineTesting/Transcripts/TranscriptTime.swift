internal import Calendar
public import ConfigurationFields
public import PipelineCore

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
