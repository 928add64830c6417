public import PipelineCore

/// A built pipeline: a head that reads, changes and settles chunks, and behind a barrier a tail
/// that answers batches.
public struct PipelineGraph: Sendable {
    public struct Node<Role: Sendable>: Sendable {
        /// The stage's id.
        public var id: String
        public var role: Role
        public init(id: String, role: Role) {
            self.id = id
            self.role = role
        }
    }

    /// What a chunk meets on its way through the head, after its source.
    public enum HeadStage: Sendable {
        case transform(any Transform)
        case buffer(any Buffer)
        /// Answers the requests of a chunk; behind it there are outcomes.
        case worker(any Generator)
        case recordSink(any RecordSink)
        /// Stands behind a worker.
        case outcomeSink(any OutcomeSink)
    }

    public struct Tail: Sendable {
        public var barrier: Node<Barrier>
        public var generator: Node<any Generator>?
        public var sinks: [Node<any OutcomeSink>]
    }

    public var name: String
    public var sources: [Node<[any Source]>]
    public var head: [Node<HeadStage>]
    /// `nil` without a barrier: then a chunk settles when it has passed the whole head.
    public var tail: Tail?
    /// How far away a deadline is that a request names none of, where it is kept in no ledger;
    /// `nil` where none counts.
    public var sla: Duration?
    /// Where refused records go that their topics do not take.
    public var deadLetters: (any DeadLetterStore)?
}
