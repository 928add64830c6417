public import PipelineCore

/// What a transcript can be run against.
public protocol TranscriptSubject: Sendable {
    /// Cases arrive, in this order.
    func accept(_ cases: [TranscriptCase]) async throws
    /// Time passes, and nobody looks at the rule.
    func advance(to instant: Timestamp) async throws
    func flush() async throws
    /// Looks at the rule until there is nothing more to do at once.
    func seal() async throws -> TranscriptSealing
}

/// A case that arrives.
public struct TranscriptCase: Sendable, Hashable {
    /// Ascending in the order of arrival.
    public var number: Int
    /// `nil`: the SLA from now.
    public var deadline: Timestamp?
}

/// What came of a look at the rule.
public struct TranscriptSealing: Sendable, Hashable {
    public struct Batch: Sendable, Hashable {
        public var closedBy: String
        /// By number, earliest deadline first.
        public var cases: [Int]
    }
    public var batches: [Batch]
    /// When to look again although nothing arrives.
    public var next: Timestamp?
    /// How many cases are left, as far as they are counted.
    public var waiting: Int
}
