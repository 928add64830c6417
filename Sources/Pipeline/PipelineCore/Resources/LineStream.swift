/// Lines of a file or of standard input, one record a line.
public protocol LineInput: Resource {
    /// Names the input in origins and positions: `file:/data/requests.jsonl`, `stdin`.
    var name: String { get }
    /// Whether the input can be read again from an offset.
    var isSeekable: Bool { get }
    /// Whole lines from a byte offset on, without their ends.
    ///
    /// - Returns: the lines with the offset behind each; an empty array at the end of the input.
    func lines(from offset: Int64, maxBytes: Int) async throws -> [Line]
    /// Keeps refused lines beside the input, durably.
    func keepRejected(_ lines: [OutgoingRecord]) async throws
}

public struct Line: Sendable {
    public var text: Bytes
    /// The byte offset of the next line.
    public var next: Int64
    public init(text: Bytes, next: Int64) {
        self.text = text
        self.next = next
    }
}

/// A file or standard output that takes one record a line.
public protocol LineOutput: Resource {
    /// Appends the payloads, a line each, and returns when the system has them (for a file: on disk).
    func append(_ records: [OutgoingRecord]) async throws
}

/// A store that takes records in a transaction with their positions: events.
public protocol RecordStore: Resource {
    /// What writes records of that kind.
    /// - Throws: ``PipelineError`` when the store has no table for them.
    func sink(for kind: RecordKind, context: StageContext) throws -> any Sink
    /// Whether the store has a table for records of that kind.
    func takes(_ kind: RecordKind) -> Bool
}
