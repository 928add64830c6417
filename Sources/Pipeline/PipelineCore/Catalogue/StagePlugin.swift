public import ConfigurationDiagnostics
public import ConfigurationFields
public import Logging

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
/// The conforming type *is* the description of the stage's fields (``Settings``): decoded from the
/// stage's object in the pipeline file, `id` and `type` left out. A third party adds a stage by
/// conforming a type in a module that depends on PipelineCore, and handing it to the command's
/// catalogue.
public protocol StagePlugin: Settings {
    /// The name in `"type"`.
    static var type: String { get }
    static var role: StageRole { get }
    /// Which guarantee the stage gives or takes away, in a paragraph for the reference.
    static var guarantee: String { get }

    /// What a dry run says of the stage's records beside their numbers.
    static var remarks: StageRemarks { get }

    /// What it counts of its own, for metrics, see ``StageContext/counter(_:)``.
    static var counters: [StageCounter] { get }

    /// The codes of its own that its contract objects with; `explain-error` explains them.
    static var codes: [Diagnostic.Code] { get }

    /// What the stage refers to and does to an edge. Pure: no I/O.
    func contract(in catalogue: Catalogue) -> StageContract
    /// Builds the stage. Connections may be opened later, by what is built.
    /// - Throws: ``PipelineError``.
    func build(_ context: StageContext) throws -> StageInstance
}

extension StagePlugin {
    public static var remarks: StageRemarks { StageRemarks() }
    public static var counters: [StageCounter] { [] }
    public static var codes: [Diagnostic.Code] { [] }
}

/// What stages of a type count: the metric `penstock_<name>_total`, for each stage.
public struct StageCounter: Sendable, Hashable {
    public let name: String
    /// What is counted, in a sentence.
    public let help: String
    public init(_ name: String, _ help: String) {
        self.name = name
        self.help = help
    }
}

/// What has become of the records that a stage was given, for reports that count them:
/// `12 published`.
///
/// What it has refused is a dead letter, whichever stage it was.
public struct StageRemarks: Sendable, Hashable {
    /// What the records are that a stage neither hands on nor refuses.
    public enum Kept: Sendable, Hashable {
        /// Repeats of others; reports sum them up over all stages.
        case repeats
        /// Something else, in words that follow their number: `not passed on`.
        case others(String)
    }
    /// What the stage has done to those that it lets pass, in words that follow their number:
    /// `published`; `nil` for a stage that only hands them on.
    public var delivered: String?
    public var kept: Kept

    public init(delivered: String? = nil, kept: Kept = .others("not passed on")) {
        self.delivered = delivered
        self.kept = kept
    }
}

/// A stage that reads payloads by a codec: whoever makes messages up for it has to know by which.
public protocol DecodingStage: StagePlugin {
    /// The codec's name.
    var codec: String { get }
}

/// A barrier whose rule calls batches full.
public protocol SealingStage: StagePlugin {
    /// How many cases it then hands on at once.
    var fullBatch: Int { get }
    /// The reasons that its rule can have for a batch, as `closed_by` keeps them, as far as they
    /// are known beforehand.
    var closingReasons: [String] { get }
}

extension SealingStage {
    public var closingReasons: [String] { [] }
}

/// A stage whose answers a generator makes, which can be looked at beforehand where it is
/// elsewhere.
public protocol GeneratingStage: StagePlugin {
    /// The generator as written.
    var generator: String { get }
    /// How many batches it has in work at a time at most, see ``Generator/maxRunning``.
    var maxRunning: Int? { get }
}

extension GeneratingStage {
    public var maxRunning: Int? { nil }
}

/// A built stage.
public enum StageInstance: Sendable {
    case source([any Source])
    case transform(any Transform)
    case buffer(any Buffer)
    case barrier(Barrier)
    case worker(any Generator)
    /// Delivers records; stands where no outcomes are handed on: see ``StageContext/input``.
    case recordSink(any RecordSink)
    /// Delivers outcomes; stands behind a worker.
    case outcomeSink(any OutcomeSink)
}

/// What a stage is built with: everything that touches the world is injected here.
public struct StageContext: Sendable {
    public var pipeline: String
    /// The stage's id: it owns the stage's state.
    public var stage: String
    /// The pipeline's promise for cases that name no deadline.
    public var sla: Duration
    /// Who this process is: host and process id.
    public var worker: String
    public var clock: PipelineClock
    public var random: RandomSource
    public var logger: Logger
    public var catalogue: Catalogue
    /// By name; a built pipeline hands each stage those that its contract uses.
    public var resources: [ResourceName: any Resource]
    /// What the stage before hands on; `nil` before the first.
    public var input: RecordKind?
    /// Where the stage that settles this chain keeps positions; set for sources.
    public var positions: (any PositionStore)?
    /// Where callers' reads are answered: for sources all of it, for what stands before the barrier
    /// its cases.
    public var reads: ReadPath
    /// Where refused records go that their topic does not take; `nil` in a chain without a store.
    public var deadLetters: (any DeadLetterStore)?
    /// Hears what is refused.
    public var refusals: any RefusalObserver = SilentRefusalObserver()
    /// Whether this process answers callers; without, inputs from request services stay closed.
    public var servesCallers: Bool
    /// Settlement comes with a batch, not with a chunk: waiting for it would hold up the chain.
    public var settlesLate: Bool
    /// How long a run may take; set for generators.
    public var timeout: Duration?
    /// How long answered cases are kept, where they are deleted: nothing answers for them after
    /// that.
    public var retention: Duration?
    /// The stages of all files at hand that keep state in a store; empty where that plays no part.
    public var owners: [StateOwner] = []
    /// Where it is told of what fails again and again: what the process has in common, or else this
    /// stage's alone.
    public var outages: Outages {
        get { commonOutages ?? Outages(clock: clock, logger: logger) }
        set { commonOutages = newValue }
    }
    private var commonOutages: Outages?
    /// Makes the counters that stages count with, see ``counter(_:)``.
    public var meter:
        @Sendable (_ stage: String, _ counter: StageCounter) -> @Sendable (Int) -> Void =
            { _, _ in { _ in } }

    public init(
        pipeline: String, stage: String, sla: Duration, worker: String, clock: PipelineClock,
        random: RandomSource, logger: Logger, catalogue: Catalogue,
        resources: [ResourceName: any Resource], positions: (any PositionStore)? = nil,
        reads: ReadPath = ReadPath(cases: nil, cache: nil), servesCallers: Bool = true,
        settlesLate: Bool = false, timeout: Duration? = nil
    ) {
        self.pipeline = pipeline
        self.stage = stage
        self.sla = sla
        self.worker = worker
        self.clock = clock
        self.random = random
        self.logger = logger
        self.catalogue = catalogue
        self.resources = resources
        self.positions = positions
        self.reads = reads
        self.servesCallers = servesCallers
        self.settlesLate = settlesLate
        self.timeout = timeout
    }

    /// What the stage counts with, by so much at a time: made once, kept, and cheap to call.
    /// - Parameter counter: one of ``StagePlugin/counters``.
    public func counter(_ counter: StageCounter) -> @Sendable (_ amount: Int) -> Void {
        meter(stage, counter)
    }

    /// The resource of a use that the stage's contract has declared, as what the stage works with.
    /// - Throws: ``PipelineError`` `fatal` when it is something else; `validate` finds that out
    ///   earlier.
    public func resource<Wanted>(for use: ResourceUse, as wanted: Wanted.Type) throws -> Wanted {
        if let found = resources[use.resource] as? Wanted { return found }
        throw wrongResource(of: use)
    }

    /// What the resource of a use is used as: the first of the use's ``ResourceUse/kinds`` that it
    /// is.
    /// - Throws: ``PipelineError`` `fatal` as ``resource(for:as:)``.
    public func kind(of use: ResourceUse) throws -> ResourceKind {
        let found = resources[use.resource]
        if let kind = use.kinds.first(where: { found.map($0.includes) ?? false }) { return kind }
        throw wrongResource(of: use)
    }

    private func wrongResource(of use: ResourceUse) -> PipelineError {
        let kinds = use.kinds.map(\.rawValue).joined(separator: " or ")
        return .fatal(
            .wrongResource,
            "stage \(stage): the resource \"\(use.resource.text)\" can't be used as \(kinds)")
    }
}

extension ResourceKind {
    /// Whether a resource can be used as that kind.
    fileprivate func includes(_ resource: any Resource) -> Bool {
        switch self {
        case .bus: resource is any Bus
        case .store: resource is any RecordStore
        case .cache: resource is any Cache
        case .api: resource is any RequestService
        case .lines: resource is any LineInput || resource is any LineOutput
        case .webhook: resource is any WebhookEndpoint
        }
    }
}
