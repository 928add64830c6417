internal import Logging
public import PipelineCore

/// A stage as its file describes it: an id and decoded settings.
public struct PlannedStage: Sendable {
    public var id: String
    public var settings: any StagePlugin
    public init(id: String, settings: any StagePlugin) {
        self.id = id
        self.settings = settings
    }
}

/// A stage at its place in a chain.
private struct ContractedStage {
    var id: String
    var settings: any StagePlugin
    /// Those that its contract uses.
    var resources: Set<ResourceName>
    /// What the stage before hands on.
    var input: RecordKind?
    /// How long it keeps answered cases.
    var retention: Duration?

    var isSource: Bool { type(of: settings).role == .source }
}

extension PipelineGraph {
    /// Builds the stages, those that settle first: sources need to know where positions are kept
    /// and reads answered.
    ///
    /// - Parameter context: what every stage gets; what is its own (its resources, `input`,
    ///   `logger`) and what depends on the chain (`positions`, `reads`) are filled in here.
    /// - Throws: ``PipelineError`` `fatal` for a chain that can't work; `validate` finds these with
    ///   positions.
    public init(stages: [PlannedStage], context: StageContext) throws {
        self.init(name: context.pipeline, sources: [], head: [], tail: nil)
        var context = context
        let stages = Self.contracted(stages, in: context.catalogue)
        context.retention = stages.lazy.compactMap(\.retention).first
        var built: [(ContractedStage, StageInstance)] = []
        // From the end: a stage has to know whether a buffer stands behind it.
        for stage in stages.reversed() where !stage.isSource {
            let instance = try stage.settings.build(context.for(stage))
            switch instance {
            case .buffer: context.settlesLate = true
            case .barrier(let barrier): context.reads.cases = barrier.ledger
            default: break
            }
            built.append((stage, instance))
        }
        for (stage, instance) in built.reversed() { try add(stage, instance) }
        if head.contains(where: \.role.goesByDeadlines) { sla = context.sla }
        context.positions = positions
        context.reads = reads
        context.reads.retention = context.retention
        context.deadLetters = context.firstDeadLetterStore
        deadLetters = context.deadLetters
        for stage in stages where stage.isSource {
            guard case .source(let inputs) = try stage.settings.build(context.for(stage)) else {
                throw Self.misplaced(stage)
            }
            sources.append(Node(id: stage.id, role: inputs))
        }
    }

    /// The chain with what each stage is handed: its resources, and what the stage before yields.
    private static func contracted(
        _ stages: [PlannedStage], in catalogue: Catalogue
    ) -> [ContractedStage] {
        var input: RecordKind?
        return stages.map { stage in
            let contract = stage.settings.contract(in: catalogue)
            defer { if case .yields(let output) = contract.edge(input) { input = output } }
            return ContractedStage(
                id: stage.id, settings: stage.settings,
                resources: Set(contract.uses.map(\.resource)), input: input,
                retention: contract.retention)
        }
    }

    private mutating func add(_ stage: ContractedStage, _ instance: StageInstance) throws {
        switch (instance, tail) {
        case (.transform(let transform), nil):
            head.append(Node(id: stage.id, role: .transform(transform)))
        case (.buffer(let buffer), nil):
            head.append(Node(id: stage.id, role: .buffer(buffer)))
        case (.barrier(let barrier), nil):
            tail = Tail(barrier: Node(id: stage.id, role: barrier), generator: nil, sinks: [])
        case (.worker(let generator), nil):
            head.append(Node(id: stage.id, role: .worker(generator)))
        case (.worker(let generator), let behind?) where behind.generator == nil:
            tail?.generator = Node(id: stage.id, role: generator)
        case (.recordSink(let sink), nil) where !answersInHead:
            head.append(Node(id: stage.id, role: .recordSink(sink)))
        case (.outcomeSink(let sink), nil) where answersInHead:
            head.append(Node(id: stage.id, role: .outcomeSink(sink)))
        case (.outcomeSink(let sink), .some):
            tail?.sinks.append(Node(id: stage.id, role: sink))
        case (.source, _), (.transform, _), (.buffer, _), (.barrier, _), (.worker, _),
            (.recordSink, _), (.outcomeSink, _):
            throw Self.misplaced(stage)
        }
    }

    /// Whether a worker in the head has made outcomes of the records.
    private var answersInHead: Bool {
        head.contains { if case .worker = $0.role { true } else { false } }
    }

    private static func misplaced(_ stage: ContractedStage) -> PipelineError {
        .fatal(.misplacedStage, "stage \(stage.id) can't stand there; run penstock validate")
    }

    /// Where the stage that settles the head keeps positions.
    private var positions: (any PositionStore)? {
        if let tail { return tail.barrier.role.ledger }
        for node in head.reversed() {
            if case .recordSink(let sink) = node.role, let positions = sink.positions {
                return positions
            }
        }
        return nil
    }

    private var reads: ReadPath {
        let behind = tail?.sinks.map(\.role) ?? []
        let before = head.compactMap { node in
            if case .outcomeSink(let sink) = node.role { sink } else { nil }
        }
        return ReadPath(
            cases: tail?.barrier.role.ledger,
            cache: (behind + before).lazy.compactMap(\.outcomeCache).first,
            changes: tail.map { LedgerChanges($0.barrier.role.ledger, sinks: $0.sinks.map(\.id)) })
    }
}

extension PipelineGraph.HeadStage {
    /// Keeps records until a rule fires, or answers them.
    fileprivate var goesByDeadlines: Bool {
        switch self {
        case .buffer, .worker: true
        case .transform, .recordSink, .outcomeSink: false
        }
    }
}

extension StageContext {
    /// That of the store that comes first by its name: a command finds them in every store.
    fileprivate var firstDeadLetterStore: (any DeadLetterStore)? {
        resources.sorted { $0.key.text < $1.key.text }
            .lazy.compactMap { $0.value as? any DeadLetterProvider }.first?
            .deadLetters(of: pipeline)
    }

    fileprivate func `for`(_ stage: ContractedStage) -> StageContext {
        var context = self
        context.stage = stage.id
        context.input = stage.input
        context.resources = resources.filter { stage.resources.contains($0.key) }
        context.logger[metadataKey: "stage"] = "\(stage.id)"
        return context
    }
}

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
