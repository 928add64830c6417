/// Lines of a file or of standard input, one record a line.
public protocol LineInput: Resource {
    /// Names the input in origins and positions: `file:/data/requests.jsonl`, `stdin`.
    var name: String { get }
    /// Whether the input can be read again from an offset.
    var isSeekable: Bool { get }
    /// What speaks against reading on at a stored offset; `nil` when the input is the one that was
    /// read up to there. One that is not is forgotten, and what has its name now is read from its
    /// start.
    /// - Parameter witness: what ``witness(at:)`` said, of this offset or another one.
    func objection(to offset: Int64, _ witness: LogWitness?) async throws -> String?
    /// What to know the input by that was read up to `offset`; `nil` where there is nothing yet.
    func witness(at offset: Int64) async throws -> LogWitness?
    /// At the end: whether something else has the input's name by now (a rotated file). It is read
    /// from its start then.
    func isFollowed() async throws -> Bool
    /// Whole lines from a byte offset on, without their ends.
    ///
    /// - Returns: the lines with the offset behind each; an empty array at the end of the input.
    func lines(from offset: Int64, maxBytes: Int) async throws -> [Line]
    /// Keeps refused lines beside the input, durably.
    func keepRejected(_ lines: [OutgoingRecord]) async throws
}

extension LineInput {
    public func objection(to offset: Int64, _ witness: LogWitness?) async throws -> String? { nil }
    public func witness(at offset: Int64) async throws -> LogWitness? { nil }
    public func isFollowed() async throws -> Bool { false }
}

public struct Line: Sendable {
    public var text: Bytes
    /// The byte offset of the next line.
    public var next: Int64
    /// `false` for what stands behind the last line's end: whoever writes it may not be done yet.
    public var isEnded: Bool
    public init(text: Bytes, next: Int64, isEnded: Bool = true) {
        self.text = text
        self.next = next
        self.isEnded = isEnded
    }
}

/// A file or standard output that takes one record a line.
public protocol LineOutput: Resource {
    /// Appends the payloads, a line each, and returns when the system has them (for a file: on
    /// disk).
    func append(_ records: [OutgoingRecord]) async throws
}

/// A store that takes records in a transaction with their positions: events.
public protocol RecordStore: Resource {
    /// What writes records of that kind.
    /// - Throws: ``PipelineError`` when the store has no table for them.
    func sink(for kind: RecordKind, context: StageContext) throws -> any RecordSink
    /// Whether the store has a table for records of that kind.
    func takes(_ kind: RecordKind) -> Bool
}
