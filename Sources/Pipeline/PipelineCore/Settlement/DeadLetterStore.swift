public import LocatedJSON

/// A refused record that its dead-letter topic does not take, as a store keeps it: untouched, with
/// the reasons.
public struct StoredDeadLetter: Sendable {
    /// The store's number of it; 0 for one that is not stored yet.
    public var number: Int64
    /// Why the topic did not take it.
    public var refusal: PipelineError
    /// The resource that it was read from, by its name in the pipeline's file.
    public var resource: String
    /// The record, why it was refused, and by which stage.
    public var rejection: Rejection
    /// Set by the store.
    public var keptAt: Timestamp?

    public init(
        _ rejection: Rejection, resource: String, refusal: PipelineError, number: Int64 = 0,
        keptAt: Timestamp? = nil
    ) {
        self.number = number
        self.refusal = refusal
        self.resource = resource
        self.rejection = rejection
        self.keptAt = keptAt
    }
}

/// Which stored dead letters are meant: those that meet every condition that is set.
public struct DeadLetterSelection: Sendable, Hashable {
    public var stage: String?
    public var code: String?
    public var numbers: [Int64]?
    /// Their numbers are larger: for going through them in steps.
    public var after: Int64?
    /// When they were kept: from the first time on, and before the second.
    public var keptFrom: Timestamp?
    public var keptBefore: Timestamp?
    public init(stage: String? = nil, code: String? = nil, numbers: [Int64]? = nil) {
        self.stage = stage
        self.code = code
        self.numbers = numbers
    }
}

/// Where refused records lie that their topic does not take: of one pipeline, in one store.
///
/// Also remembers what operators have settled in dead-letter topics.
public protocol DeadLetterStore: DeadLetterPlace, DeadLetterMarks {
    /// The oldest first.
    func deadLetters(
        _ selection: DeadLetterSelection, limit: Int
    ) async throws -> [StoredDeadLetter]
    /// How many there are of each stage that has any.
    func deadLetterCounts() async throws -> [String: Int]
    /// Answers how many are gone.
    func removeDeadLetters(_ selection: DeadLetterSelection) async throws -> Int
}

/// What takes refused records that their topic does not take: a store, or a file.
public protocol DeadLetterPlace: Sendable {
    /// Returns once they are safe. After a lost answer or a crash some may be kept twice.
    func keep(_ letters: [StoredDeadLetter]) async throws
}

/// A refused record as it lies in the topic beside its own: key, payload and headers untouched, the
/// reason in headers behind them.
public enum DeadLetter {
    public static func topic(of topic: String) -> String { "\(topic).dead-letters" }

    public static func record(_ rejection: Rejection) -> OutgoingRecord {
        let origin = rejection.record.origin
        let values = [
            rejection.stage, rejection.code.name, rejection.reason, "\(rejection.attempts)",
            origin.source, "\(origin.partition)", "\(origin.offset)",
        ]
        return OutgoingRecord(
            key: rejection.record.key, payload: rejection.record.payload,
            isTombstone: rejection.record.isTombstone,
            headers: rejection.record.headers + zip(names, values).map { Header($0, $1) })
    }

    private static let names = [
        "penstock-stage", "penstock-code", "penstock-reason", "penstock-attempts",
        "penstock-origin-topic", "penstock-origin-partition", "penstock-origin-offset",
    ]

    /// What ``record(_:)`` was made of, but for the time of the record, which is that of the
    /// letter; `nil` for a record that somebody else has put there.
    ///
    /// - Parameter topic: where records come from whose letters lie in that topic.
    public static func rejection(from letter: Record, of topic: String) -> Rejection? {
        let ours = letter.headers.suffix(names.count)
        guard ours.map(\.name) == names else { return nil }
        let values = ours.compactMap { header in
            header.value.flatMap { String(validating: $0, as: UTF8.self) }
        }
        guard values.count == names.count, values[4] == topic, let attempts = Int(values[3]),
            let partition = Int32(values[5]), let offset = Int64(values[6])
        else { return nil }
        var record = letter
        record.headers.removeLast(names.count)
        record.origin = Origin(source: topic, partition: partition, offset: offset)
        return Rejection(
            record, stage: values[0], code: ErrorCode(foreign: values[1]), reason: values[2],
            attempts: attempts)
    }
}

/// A store that keeps dead letters.
public protocol DeadLetterProvider: Resource {
    func deadLetters(of pipeline: String) -> any DeadLetterStore
}

extension StoredDeadLetter {
    /// The letter as one object: for files and for programs. Bytes that are not UTF-8 stand under a
    /// key that ends in `_base64`; a key, payload or header value that is not there is null.
    public var json: JSON {
        .object(
            rejection.members + [
                ("refusal", .string("\(refusal)")), ("resource", .string(resource)),
            ] + rejection.record.members)
    }
}

extension Rejection {
    /// Why a record was refused, as members of an object.
    public var members: [(String, JSON)] {
        [
            ("stage", .string(stage)), ("code", .string(code.name)), ("reason", .string(reason)),
            ("attempts", .number(attempts)),
        ]
    }
}

extension Record {
    /// The record and where it comes from, as members of an object.
    public var members: [(String, JSON)] {
        [
            ("origin", .string(origin.source)),
            ("partition", .number(Int(origin.partition))),
            ("offset", .number(Int(origin.offset))),
            ("timestamp_microseconds", .number(Int(timestamp.microseconds))),
            Self.member("key", key),
            Self.member("payload", isTombstone ? nil : payload),
            (
                "headers",
                .array(
                    headers.map { header in
                        .object([
                            ("name", .string(header.name)), Self.member("value", header.value),
                        ])
                    })
            ),
        ]
    }

    private static func member(_ name: String, _ bytes: Bytes?) -> (String, JSON) {
        guard let bytes else { return (name, .null) }
        if let text = String(validating: bytes, as: UTF8.self) { return (name, .string(text)) }
        return ("\(name)_base64", .string(base64(bytes)))
    }

    /// [RFC 4648](https://www.rfc-editor.org/rfc/rfc4648)
    private static func base64(_ bytes: Bytes) -> String {
        let alphabet = [UInt8](
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        var rest = bytes
        while !rest.isEmpty {
            let group = rest.prefix(3)
            rest = rest.dropFirst(3)
            let bits = (0..<3).reduce(0) { bits, index in
                bits << 8 | (index < group.count ? Int(group[group.startIndex + index]) : 0)
            }
            for index in 0..<4 {
                text.append(
                    index <= group.count
                        ? alphabet[bits >> (18 - 6 * index) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
