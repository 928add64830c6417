public import DryRunReport
internal import Calendar
internal import Logging
public import PipelineConfiguration
public import PipelineCore
internal import PipelineRuntime
internal import PipelineSimulation

/// Runs a pipeline over an arrival trace in virtual time: the real stages and the real runtime,
/// with every bus, store, cache, request service and generator replaced before anything is opened.
public struct PipelineRehearsal: Sendable {
    public var definition: PipelineDefinition
    public var catalogue: Catalogue
    public var trace: ArrivalTrace
    public var cost: GenerationCostModel
    /// Processes that run the pipeline.
    public var workers = 1
    public var seed: UInt64 = 1

    public init(
        _ definition: PipelineDefinition, catalogue: Catalogue, trace: ArrivalTrace,
        cost: GenerationCostModel
    ) {
        self.definition = definition
        self.catalogue = catalogue
        self.trace = trace
        self.cost = cost
    }

    /// - Parameter progress: hears now and then which share of the trace has passed, in 0 ... 1.
    /// - Throws: ``PipelineError`` when the pipeline gives up.
    public func run(progress: (Double) -> Void = { _ in }) throws -> SimulationReport {
        let began = ContinuousClock.now
        let world = try RehearsalWorld(self)
        try world.run(progress: progress)
        var report = world.report()
        report.took = began.duration(to: .now)
        return report
    }
}

/// The world that a rehearsal takes place in: processes, what is simulated of the outside, and the
/// trace.
final class RehearsalWorld: Sendable {
    let plan: PipelineRehearsal
    let input: ArrivalInput
    let simulator: Simulator
    let backend: SimulatedBackend
    private let cache: SimulatedCache
    /// By resource.
    let lines: [ResourceName: SimulatedLines]
    let recorder = SimulationRecorder()
    let cases: TracedCases
    private let workers: [RehearsalWorker]

    init(_ plan: PipelineRehearsal) throws {
        guard let input = ArrivalInput(of: plan.definition) else {
            throw PipelineError.fatal(.noInput, "the pipeline has no input to feed")
        }
        self.plan = plan
        self.input = input
        simulator = Simulator(seed: plan.seed, slack: .zero, epoch: plan.trace.start)
        let clock = PipelineClock(WorldTime(simulator))
        let random = RandomSource(seed: plan.seed)
        backend = SimulatedBackend(clock: clock, random: random)
        cache = SimulatedCache(clock: clock, conditions: .ideal)
        cases = TracedCases(plan.trace, plan.definition, plan.catalogue)
        let names = plan.definition.resources.filter { $0.kinds.contains(.lines) }.map(\.name)
        lines = Dictionary(
            uniqueKeysWithValues: names.map { ($0, SimulatedLines(name: $0.text)) })
        var shared: [ResourceName: any Resource] = [:]
        for resource in plan.definition.resources {
            switch resource.kinds.first {
            case .cache: shared[resource.name] = cache
            case .lines: shared[resource.name] = lines[resource.name]
            case .bus, .store: shared[resource.name] = backend
            case .webhook: shared[resource.name] = SimulatedEndpoint()
            case .api, nil: break
            }
        }
        // A chain has one barrier: all that join here are of one stage.
        let peers = BarrierPeers()
        workers = try (1...max(1, plan.workers)).map { [simulator, recorder] number in
            try RehearsalWorker(
                number, plan: plan, simulator: simulator, resources: shared, recorder: recorder,
                peers: peers)
        }
    }

    /// The simulation ends at that time at the latest.
    private var limit: Duration {
        plan.trace.length + max(plan.definition.sla * 2, .hours(1))
    }

    fileprivate func run(progress: (Double) -> Void) throws {
        try ImmediateTask.run { [backend] in try await backend.migrateLedger() }
        if case .topic(_, let topic) = input { backend.bus.create(topic, partitions: nil) }
        let feed = TraceFeed(plan.trace, simulator: simulator) { [self] in
            deliver($0)
        } ended: {
            [lines] in
            for input in lines.values { input.end() }
        }
        for worker in workers { worker.start() }
        feed.start()
        let sinks = workers[0].tailSinks
        var looks = 0
        _ = simulator.run(until: Instant(nanoseconds: 0).advanced(by: limit)) { [self] in
            looks += 1
            if looks % 4096 == 0 {
                progress(
                    simulator.now.nanoseconds == 0
                        ? 0
                        : min(
                            1,
                            Double(simulator.now.nanoseconds)
                                / Double(max(1, plan.trace.length.wholeNanoseconds))))
            }
            return feed.isEnded && workers[0].hasTail
                && recorder.isComplete(cases: cases.arrival.count, sinks: sinks)
        }
        simulator.closeHistory()
        for worker in workers { worker.process.reap() }
        simulator.discard()
        if let failure = recorder.current.failure {
            throw PipelineError.fatal(.rehearsalFailed, failure)
        }
    }

    private func deliver(_ message: OutgoingRecord) {
        switch input {
        case .topic(_, let topic): backend.bus.append([message], to: topic)
        case .lines(let name): lines[name]?.append(line: message.payload)
        case .api(let name):
            let worker = workers[simulator.below(workers.count)]
            worker.callers[name]?.call(message.payload) { [recorder] result in
                if case .success(.rejected(let rejection)) = result { recorder.note(rejection) }
            }
        }
    }
}
