public import ConfigurationFields

/// A use of a resource, said once: the setting that names it, the resource, and what it is used for.
///
/// What the resource must be (``kinds``), which topics are read and written (``topic``), what a dry run looks at
/// (``needs(pipeline:stage:)``) and what the stage is handed when it is built
/// (``StageContext/resource(for:as:)``) all follow from it.
public struct ResourceUse: Sendable, Hashable {
    /// What a resource is used for.
    public enum Purpose: Sendable, Hashable {
        /// Reads a topic of a bus, or writes to one.
        case topic(TopicUse)
        /// Takes in records that have no topic: callers' requests, or lines.
        case reads
        /// Writes lines, or, with a kind, rows of a store, which takes records of that kind only.
        case writes(rows: RecordKind?)
        /// Keeps the ledger of the stage in a store, with the rule as a ledger stores it.
        case keepsLedger(rule: String, revision: Int64?)
        /// A store that the generator of that name reads; `nil`: one that is elsewhere does, and is looked at there.
        case answersFrom(generator: String?)
        /// Keeps entries in a cache.
        case caches
    }

    /// The path below the stage of the setting that names the resource: `from[0].resource`.
    public var field: String
    public var resource: ResourceName
    public var purpose: Purpose
    /// What to do about a resource of another kind, without a full stop.
    public var hint: String?

    public init(
        _ field: String, _ resource: ResourceName, _ purpose: Purpose, hint: String? = nil
    ) {
        self.field = field
        self.resource = resource
        self.purpose = purpose
        self.hint = hint
    }

    /// The resource must be one of these kinds; it is used as the first of them that it is.
    public var kinds: [ResourceKind] {
        switch purpose {
        case .topic: [.bus]
        case .reads: [.api, .lines]
        case .writes(let rows): rows == nil ? [.lines] : [.store, .lines]
        case .keepsLedger, .answersFrom: [.store]
        case .caches: [.cache]
        }
    }

    /// The only records that the resource takes when it is used as that kind; `nil`: it takes any.
    public func rows(of kind: ResourceKind) -> RecordKind? {
        if case .writes(let rows) = purpose, kind == .store { rows } else { nil }
    }

    /// The topic that is read or written.
    public var topic: TopicUse? {
        if case .topic(let topic) = purpose { topic } else { nil }
    }

    /// What is going to be done with the resource, for whoever looks beforehand whether it can.
    public func needs(pipeline: String, stage: String) -> [ResourceNeed] {
        switch purpose {
        case .topic(let topic):
            [.topic(topic.need)] + (topic.deadLetters.map { [.topic($0)] } ?? [])
        case .reads: [.reading]
        case .writes: [.writing]
        case .keepsLedger: ledger(pipeline: pipeline, stage: stage).map { [.ledger($0)] } ?? []
        case .answersFrom(let generator): generator.map { [.generation($0)] } ?? []
        case .caches: []
        }
    }

    /// The ledger that is kept in the resource.
    public func ledger(pipeline: String, stage: String) -> LedgerNeed? {
        guard case .keepsLedger(let rule, let revision) = purpose else { return nil }
        return LedgerNeed(pipeline: pipeline, stage: stage, ruleText: rule, revision: revision)
    }
}

/// A topic that a stage reads or writes.
public struct TopicUse: Sendable, Hashable {
    /// The path below the stage of the setting that names the topic.
    public var field: String
    public var need: TopicNeed
    /// Where records go that are refused of it.
    public var deadLetters: TopicNeed?
    /// Whether a topic that was made anew is read from its start.
    public var beginsAnew: Bool

    public init(
        _ field: String, _ need: TopicNeed, deadLetters: TopicNeed? = nil, beginsAnew: Bool = false
    ) {
        self.field = field
        self.need = need
        self.deadLetters = deadLetters
        self.beginsAnew = beginsAnew
    }

    public var name: String { need.name }
    public var direction: TopicNeed.Direction { need.direction }
}

/// The name of an entry in the file's `resources`.
public struct ResourceName: TextValue, Hashable, ExpressibleByStringLiteral {
    public static var kind: String { "name of a resource" }
    public static var refersTo: [String] { ["resource"] }
    public let text: String
    public init(parsing text: String) throws(Refusal) { self.text = text }
    public init(stringLiteral text: String) { self.text = text }
}
