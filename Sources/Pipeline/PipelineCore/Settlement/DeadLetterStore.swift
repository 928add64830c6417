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
public protocol DeadLetterStore: DeadLetterPlace {
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

/// A store that keeps dead letters.
public protocol DeadLetterProvider: Resource {
    func deadLetters(of pipeline: String) -> any DeadLetterStore
}

extension StoredDeadLetter {
    /// The letter as one object: for files and for programs. Bytes that are not UTF-8 stand under a
    /// key that ends in `_base64`; a key, payload or header value that is not there is null.
    public var json: JSON {
        let (record, origin) = (rejection.record, rejection.record.origin)
        return .object(
            [
                ("stage", .string(rejection.stage)), ("code", .string(rejection.code.name)),
                ("reason", .string(rejection.reason)), ("attempts", .number(rejection.attempts)),
                ("refusal", .string("\(refusal)")), ("resource", .string(resource)),
                ("origin", .string(origin.source)),
                ("partition", .number(Int(origin.partition))),
                ("offset", .number(Int(origin.offset))),
                ("timestamp_microseconds", .number(Int(record.timestamp.microseconds))),
                Self.member("key", record.key),
                Self.member("payload", record.isTombstone ? nil : record.payload),
                (
                    "headers",
                    .array(
                        record.headers.map { header in
                            .object([
                                ("name", .string(header.name)), Self.member("value", header.value),
                            ])
                        })
                ),
            ])
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
