public import Specification

/// What a stage does in a chain.
public enum StageRole: String, Sendable, CaseIterable {
    /// Brings records in; stands first.
    case source
    /// Changes or drops records.
    case transform
    /// Regroups records or seals batches of them.
    case barrier
    /// Answers batches.
    case worker
    /// Delivers to the outside and hands on.
    case sink
}

/// A stage of pipelines: its settings, what it needs and yields, and how it is built.
///
/// The conforming type *is* the stage's field specification (``Settings``): decoded from the stage's object
/// in the pipeline file, `id` and `type` left out. A third party adds a stage by conforming a type in a module
/// that depends on PipelineCore, and handing it to the command's catalogue.
public protocol StagePlugin: Settings {
    /// The name in `"type"`.
    static var type: String { get }
    static var role: StageRole { get }
    /// Which guarantee the stage gives or takes away, in a paragraph for the reference.
    static var guarantee: String { get }

    /// The codes of its own that its contract objects with; `explain-error` explains them.
    static var codes: [Diagnostic.Code] { get }

    /// What the stage refers to and does to an edge. Pure: no I/O.
    func contract(in catalogue: Catalogue) -> StageContract
    /// Builds the stage. Connections may be opened later, by what is built.
    /// - Throws: ``PipelineError``.
    func build(_ context: StageContext) throws -> StageInstance
}

extension StagePlugin {
    public static var codes: [Diagnostic.Code] { [] }
}

/// What a stage with its settings needs and yields.
public struct StageContract: Sendable {
    /// What goes out for what comes in (`nil` stands for "nothing": before the first stage, after the last).
    public enum Edge: Sendable, Hashable {
        case yields(RecordKind)
        /// A sentence without a full stop that says what the stage wants instead.
        case refuses(String)
    }
    public var edge: @Sendable (_ input: RecordKind?) -> Edge
    public var resources: [ResourceUse]
    public var topics: [TopicUse]
    /// What the stage is going to do with its resources, given the pipeline's name and the stage's id.
    public var needs: @Sendable (_ pipeline: String, _ stage: String) -> [Need] = { _, _ in [] }
    /// Files that the stage writes to beside its resources.
    public var files: [FileUse] = []
    /// The generator as written, for a stage that answers batches.
    public var generator: String?
    /// How long the stage may hold a record at worst; `nil` when nothing bounds it.
    ///
    /// - Parameter sla: how far away a case's deadline is when it arrives.
    public var longestWait: @Sendable (_ sla: Duration) -> Duration?
    /// How much longer that is when one run of a batch fails: a second run, or a lease that has to end.
    public var retryBudget: Duration
    /// What is wrong although each setting is right.
    public var objections: [Objection]
    /// What is odd beside what the pipeline promises, given that as ``longestWait`` is.
    public var promiseObjections: @Sendable (_ sla: Duration) -> [Objection] = { _ in [] }
    /// The codes that the stage is known to refuse records with.
    public var rejectionCodes: [String] = []
    /// The codec by which a source reads its inputs.
    public var codec: String?
    /// How long a barrier keeps answered cases; `nil` for ever.
    public var retention: Duration?
    /// How many records a barrier hands on at once when it calls a batch full.
    public var fullBatch: Int?

    public init(
        resources: [ResourceUse] = [], topics: [TopicUse] = [],
        longestWait: @escaping @Sendable (_ sla: Duration) -> Duration? = { _ in .zero },
        retryBudget: Duration = .zero,
        objections: [Objection] = [],
        edge: @escaping @Sendable (_ input: RecordKind?) -> Edge
    ) {
        self.resources = resources
        self.topics = topics
        self.longestWait = longestWait
        self.retryBudget = retryBudget
        self.objections = objections
        self.edge = edge
    }

    /// A setting that names a resource.
    public struct ResourceUse: Sendable, Hashable {
        /// The JSON path below the stage: `["from", 0, "resource"]` as `from[0].resource`.
        public var field: String
        public var name: ResourceName
        /// The resource must be one of these kinds; it is used as the first of them that it is.
        public var kinds: [ResourceKind]
        /// The only records that a resource takes when it is used as that kind; any without an entry.
        public var takes: [ResourceKind: RecordKind]
        /// What to do about a resource of another kind.
        public var hint: String?
        public init(
            field: String, name: ResourceName, kinds: [ResourceKind],
            takes: [ResourceKind: RecordKind] = [:], hint: String? = nil
        ) {
            self.field = field
            self.name = name
            self.kinds = kinds
            self.takes = takes
            self.hint = hint
        }
    }

    /// What the stage is going to do with a resource.
    public struct Need: Sendable, Hashable {
        public var resource: ResourceName
        public var need: ResourceNeed
        public init(_ resource: ResourceName, _ need: ResourceNeed) {
            self.resource = resource
            self.need = need
        }
    }

    /// A topic that the stage reads or writes.
    public struct TopicUse: Sendable, Hashable {
        public enum Direction: Sendable { case reads, writes }
        public var field: String
        public var resource: ResourceName
        public var topic: String
        public var direction: Direction
        /// Whether a topic that was made anew is read from its start.
        public var beginsAnew: Bool
        public init(
            field: String, resource: ResourceName, topic: String, direction: Direction,
            beginsAnew: Bool = false
        ) {
            self.beginsAnew = beginsAnew
            self.field = field
            self.resource = resource
            self.topic = topic
            self.direction = direction
        }
    }

    /// A file that the stage writes to.
    public struct FileUse: Sendable, Hashable {
        /// The setting that names it.
        public var field: String
        public var address: ResourceAddress
        public var place: ResourcePlace
        public init(field: String, address: ResourceAddress, place: ResourcePlace) {
            self.field = field
            self.address = address
            self.place = place
        }
    }

    /// A diagnostic of the stage's own.
    public struct Objection: Sendable, Hashable {
        /// The path below the stage; empty for the stage as a whole.
        public var field: String
        public var code: Diagnostic.Code
        public var message: String
        public var hint: String?
        public var isWarning: Bool
        public init(
            field: String, code: Diagnostic.Code, _ message: String, hint: String? = nil,
            isWarning: Bool = false
        ) {
            self.field = field
            self.code = code
            self.message = message
            self.hint = hint
            self.isWarning = isWarning
        }
    }
}

/// The name of an entry in the file's `resources`.
public struct ResourceName: TextValue, Hashable, ExpressibleByStringLiteral {
    public static var kind: String { "name of a resource" }
    public static var refersTo: [String] { ["resource"] }
    public let text: String
    public init(parsing text: String) throws(Refusal) { self.text = text }
    public init(stringLiteral text: String) { self.text = text }
}

/// A built stage.
public enum StageInstance: Sendable {
    case source([any Source])
    case transform(any Transform)
    case buffer(any Buffer)
    case barrier(Barrier)
    case worker(any Generator)
    case sink(any Sink)
}
