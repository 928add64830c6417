public import ConfigurationDiagnostics
public import ConfigurationFields
internal import LocatedJSON

/// What flows over an edge of a chain, so that an edge that can't work is a diagnostic and not a
/// crash.
public struct RecordKind: Sendable, Hashable, CustomStringConvertible {
    public let name: String
    public init(_ name: String) { self.name = name }
    public var description: String { name }

    /// Payloads as they arrived.
    public static let bytes = RecordKind("bytes")
    /// Requests: records with a case id, a digest and canonical parameters.
    public static let requests = RecordKind("requests")
    /// Facts to be stored and counted.
    public static let events = RecordKind("events")
    /// Sealed batches of requests.
    public static let batches = RecordKind("batches of requests")
    /// Outcomes of cases.
    public static let outcomes = RecordKind("outcomes")
}

/// What a stage with its settings needs and yields.
public struct StageContract: Sendable {
    /// What goes out for what comes in (`nil` stands for "nothing": before the first stage, after
    /// the last).
    public enum Edge: Sendable, Hashable {
        case yields(RecordKind)
        /// A sentence without a full stop that says what the stage wants instead.
        case refuses(String)
    }
    public var edge: @Sendable (_ input: RecordKind?) -> Edge
    /// Every use of a resource; the stage is handed these resources and no others.
    public var uses: [ResourceUse]
    /// Files that the stage writes to beside its resources.
    public var files: [FileUse] = []
    /// How long a barrier keeps answered cases; `nil` for ever.
    public var retention: Duration?
    /// How long the stage may hold a record at worst; `nil` when nothing bounds it.
    ///
    /// - Parameter sla: how far away a case's deadline is when it arrives.
    public var longestWait: @Sendable (_ sla: Duration) -> Duration?
    /// How much longer that is when one run of a batch fails: a second run, or a lease that has to
    /// end.
    public var retryBudget: Duration
    /// What is wrong although each setting is right.
    public var objections: [Objection]
    /// What is odd beside what the pipeline promises, given that as ``longestWait`` is.
    public var promiseObjections: @Sendable (_ sla: Duration) -> [Objection] = { _ in [] }
    /// The codes that the stage is known to refuse records with.
    public var rejectionCodes: [ErrorCode] = []

    public init(
        uses: [ResourceUse] = [],
        longestWait: @escaping @Sendable (_ sla: Duration) -> Duration? = { _ in .zero },
        retryBudget: Duration = .zero,
        objections: [Objection] = [],
        edge: @escaping @Sendable (_ input: RecordKind?) -> Edge
    ) {
        self.uses = uses
        self.longestWait = longestWait
        self.retryBudget = retryBudget
        self.objections = objections
        self.edge = edge
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

/// What stages of several authors object to.
extension Diagnostic.Code {
    /// A stage keeps or reads something in a store, and names none.
    public static let missingStore = Self(
        "missing-store", "The stage needs a store and names none.",
        """
        An accumulate keeps its cases in a "store", so that none is lost whatever is killed, and a \
        generator that counts events reads them from one. Name a resource that is a store. Only an \
        accumulate can do without, and says so: with "durability": "none" it keeps batches in \
        memory and leaves their inputs unsettled, to be read again after a crash.
        """,
        example: .file(
            at: "stages[2]",
            #"{ "id": "batch", "type": "accumulate", "trigger": { "max_age": "12h" } }"#))

    /// A stage names a codec that does not exist, or does not do what the stage needs.
    public static let unknownCodec = Self(
        "unknown-codec", "There is no such codec for what the stage does.",
        """
        Some codecs read payloads (report-request), others render outcomes (report-ready); this \
        name is none of those that the stage can use. `penstock stages` lists all codecs.
        """,
        example: .file(at: "stages[0].codec", #""report-requst""#))

    /// A setting has no effect beside the others.
    public static let unusedSetting = Self(
        "unused-setting", "The setting has no effect beside the others.",
        """
        It is a setting of the stage, but another one switches off what it is for: a store beside \
        "durability": "none", a topic's "create" without a "topic". Whoever wrote it expects \
        something of it. Leave one of the two out.
        """,
        example: .file(at: "stages[0].from[1]", #"{ "resource": "api", "group": "callers" }"#))
}

extension StageContract.Objection {
    /// The objection to a setting that has no effect.
    public static func unusedSetting(
        _ field: String, _ message: String, hint: String? = "leave it out"
    ) -> Self {
        .init(field: field, code: .unusedSetting, message, hint: hint)
    }

    /// The objection to a codec, if it is not one of those that do what the stage needs.
    ///
    /// - Parameters:
    ///   - purpose: what it is for, such as `to read with`.
    ///   - isFit: whether a codec does what the stage needs.
    public static func unknownCodec(
        _ name: String, _ purpose: String, in catalogue: Catalogue, where isFit: (Codec) -> Bool
    ) -> Self? {
        let names = catalogue.codecs.filter(isFit).map(\.name)
        if names.contains(name) { return nil }
        return .init(
            field: "codec", code: .unknownCodec,
            "there is no codec \(JSON.quoted(name)) \(purpose)",
            hint: Suggestion.hint(for: name, among: names))
    }
}

/// A use of a resource, said once: the setting that names it, the resource, and what it is used
/// for.
///
/// What the resource must be (``kinds``), which topics are read and written (``topic``), what a dry
/// run looks at (``needs(pipeline:stage:)``) and what the stage is handed when it is built
/// (``StageContext/resource(for:as:)``) all follow from it.
public struct ResourceUse: Sendable, Hashable {
    /// What a resource is used for.
    public enum Purpose: Sendable, Hashable {
        /// Reads a topic of a bus, or writes to one.
        case topic(TopicUse)
        /// Takes in records that have no topic: callers' requests, or lines.
        case reads
        /// Writes lines, or, with a kind, rows of a store, which takes records of that kind only,
        /// or calls a webhook, which takes outcomes only.
        case writes(rows: RecordKind?)
        /// Keeps the ledger of the stage in a store, with the rule as a ledger stores it.
        case keepsLedger(rule: String, revision: Int64?)
        /// A store that the generator of that name reads; `nil`: one that is elsewhere does, and is
        /// looked at there.
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
        case .writes(let rows): rows == nil ? [.lines] : [.store, .lines, .webhook]
        case .keepsLedger, .answersFrom: [.store]
        case .caches: [.cache]
        }
    }

    /// The only records that the resource takes when it is used as that kind; `nil`: it takes any.
    public func rows(of kind: ResourceKind) -> RecordKind? {
        guard case .writes(let rows) = purpose else { return nil }
        return switch kind {
        case .store: rows
        case .webhook: .outcomes
        case .bus, .cache, .api, .lines: nil
        }
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
