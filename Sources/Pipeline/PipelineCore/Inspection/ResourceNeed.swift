/// What a stage is going to do with a resource, for whoever looks beforehand whether it can.
public enum ResourceNeed: Sendable, Hashable {
    /// Reads a topic or writes to it.
    case topic(TopicNeed)
    /// Keeps the ledger of a stage.
    case ledger(LedgerNeed)
    /// Is read by the generator of that name.
    case generation(String)
    /// Reads records without a topic: lines, or callers' requests.
    case reading
    /// Writes records without a topic: lines, or rows.
    case writing

    /// What findings about it are headed by: `topic report-requests`.
    public var subject: String {
        switch self {
        case .topic(let need): "topic \(need.name)"
        case .ledger(let need): "ledger of \(need.stage)"
        case .generation(let name): "generator \(name)"
        case .reading: "reading"
        case .writing: "writing"
        }
    }
}

/// A topic that a pipeline reads or writes.
public struct TopicNeed: Sendable, Hashable {
    public enum Direction: Sendable { case reads, writes }
    /// What becomes of a topic that is not there.
    public enum Creation: Sendable, Hashable {
        /// The pipeline waits for it, or fails.
        case never
        /// When the pipeline starts; `nil`: with as many partitions as the bus gives by default.
        case atStart(partitions: Int?)
        /// With the first message that is written to it.
        case atFirstMessage(partitions: Int?)
    }
    public var name: String
    public var direction: Direction
    public var creation: Creation
    public init(_ name: String, _ direction: Direction, creation: Creation) {
        self.name = name
        self.direction = direction
        self.creation = creation
    }
}

/// The ledger of a stage, and the rule by which it is going to be sealed.
public struct LedgerNeed: Sendable, Hashable {
    public var pipeline: String
    public var stage: String
    /// The rule as a ledger stores it.
    public var ruleText: String
    /// `nil`: one more than what is stored if that is another rule.
    public var revision: Int64?
    /// Whether the stage has to be in the ledger already: for whoever works beside a `run`.
    public var mustExist = false
    /// The stages of the files at hand, this one among them; empty where that plays no part.
    public var owners: [StateOwner] = []
    public init(pipeline: String, stage: String, ruleText: String, revision: Int64?) {
        self.pipeline = pipeline
        self.stage = stage
        self.ruleText = ruleText
        self.revision = revision
    }
}
