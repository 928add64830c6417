public import Logging

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
    /// Whether this process answers callers; without, inputs that are front doors stay shut.
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
    /// Counts what stages meet, for metrics; see ``count(_:_:by:)``.
    public var meter:
        @Sendable (_ stage: String, _ name: String, _ help: String, _ amount: Int) ->
            Void = { _, _, _, _ in }

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

    /// Counts what the stage has met, as `penstock_<name>_total`.
    /// - Parameter help: what is counted, in a sentence.
    public func count(_ name: String, _ help: String, by amount: Int = 1) {
        meter(stage, name, help, amount)
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
        }
    }
}
