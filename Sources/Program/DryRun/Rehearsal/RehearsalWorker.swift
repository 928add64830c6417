internal import Logging
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import PipelineSimulation

/// A process that runs the pipeline.
struct RehearsalWorker: Sendable {
    let process: SimulatedProcess
    /// By request service.
    let callers: [ResourceName: SimulatedCallers]
    private let graph: PipelineGraph
    private let run: PipelineRun
    private let recorder: SimulationRecorder

    init(
        _ number: Int, plan: PipelineRehearsal, simulator: Simulator,
        resources shared: [ResourceName: any Resource], recorder: SimulationRecorder,
        peers: BarrierPeers
    ) throws {
        let process = SimulatedProcess("worker-\(number)", number: number, in: simulator)
        let random = RandomSource(seed: plan.seed &+ UInt64(number))
        let logger = Logger(label: process.name, level: .critical) { _ in SilentLogHandler() }
        var resources = shared
        var callers: [ResourceName: SimulatedCallers] = [:]
        for resource in plan.definition.resources where resource.kinds.contains(.api) {
            let service = SimulatedRequestService()
            resources[resource.name] = service
            callers[resource.name] = SimulatedCallers(service: service, clock: process.clock)
        }
        let context = StageContext(
            pipeline: plan.definition.name, stage: "", sla: plan.definition.sla,
            worker: process.name, clock: process.clock, random: random, logger: logger,
            catalogue: plan.catalogue.simulated(plan, process, recorder), resources: resources)
        var graph = try PipelineGraph(
            stages: plan.definition.stages.map { PlannedStage(id: $0.id, settings: $0.settings) },
            context: context)
        // One that has its answers from a generator has asked the catalogue for it, and got a
        // simulated one.
        for stage in plan.definition.stages
        where stage.role == .worker && !(stage.settings is any GeneratingStage) {
            graph.replaceWorker(
                stage.id, by: SimulatedGenerator(plan, process.clock, recorder))
        }
        self.graph = graph
        var environment = RunEnvironment(
            clock: process.clock, random: random, logger: logger, worker: process.name,
            observer: recorder)
        environment.peers = peers
        run = PipelineRun(graph, role: .all, environment: environment)
        self.process = process
        self.callers = callers
        self.recorder = recorder
    }

    var hasTail: Bool { graph.tail != nil }
    var tailSinks: [String] { graph.tail?.sinks.map(\.id) ?? [] }

    func start() {
        let recorder = recorder
        process.start({ [run, callers] in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for doorstep in callers.values {
                    group.addTask { try await doorstep.serve() }
                }
                defer { group.cancelAll() }
                try await run.run()
            }
        }) { error in
            if let error, !(error is CancellationError) { recorder.note(failure: "\(error)") }
        }
    }
}

extension Catalogue {
    /// The same names, with generators that cost what the plan says.
    fileprivate func simulated(
        _ plan: PipelineRehearsal, _ process: SimulatedProcess, _ recorder: SimulationRecorder
    ) -> Catalogue {
        var catalogue = self
        catalogue.generators = generators.map { registration in
            var registration = registration
            registration.make = { _, _, context in
                SimulatedGenerator(plan, context.clock, recorder)
            }
            return registration
        }
        return catalogue
    }
}

extension PipelineGraph {
    fileprivate mutating func replaceWorker(_ id: String, by generator: any Generator) {
        if tail?.generator?.id == id { tail?.generator?.role = generator }
        for index in head.indices where head[index].id == id {
            head[index].role = .worker(generator)
        }
    }
}

/// Drops every line: what matters is in the report.
private struct SilentLogHandler: LogHandler {
    var logLevel: Logger.Level = .critical
    var metadata: Logger.Metadata = [:]
    func log(
        level: Logger.Level, message: Logger.Message, metadata: Logger.Metadata?, source: String,
        file: String, function: String, line: UInt
    ) {}
}
