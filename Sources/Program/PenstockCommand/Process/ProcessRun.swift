internal import Concurrency
internal import Logging
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import StandardCatalogue

/// Pipelines and their request services in this process.
struct ProcessRun: Sendable {
    let definitions: [PipelineDefinition]
    let catalogue: Catalogue
    let options: RunOptions
    let logger: Logger
    let stop: ProcessStop

    private static let metrics = MetricRegistry()

    func run() async throws {
        logger.takeGRPCLog()
        let clock = PipelineClock.system
        let random = RandomSource()
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: clock, random: random, logger: logger, isRunning: true,
                metrics: Self.metrics))
        var runs: [PipelineRun] = []
        var refusals: [RefusalLog] = []
        for definition in definitions {
            let opened = try resources.open(definition)
            var logger = logger
            logger[metadataKey: "pipeline"] = "\(definition.name)"
            let refused = RefusalLog(logger: logger, clock: clock)
            refusals.append(refused)
            runs.append(
                try pipeline(
                    definition, opened, clock: clock, random: random, logger: logger,
                    refusals: refused))
        }
        for store in resources.stores where store.migratesItself { try await store.migrate() }
        let services =
            options.role == .worker
            ? [] : resources.all.compactMap { $0 as? any RequestService }
        let monitor = ReadinessMonitor(
            resources: resources.named, runs: runs, services: services, stop: stop.event,
            clock: clock)
        let admin = try AdminServer(
            options.service.admin, registry: Self.metrics, monitor: monitor)
        logger.notice(
            "running",
            metadata: [
                "pipelines": "\(definitions.map(\.name).joined(separator: ","))",
                "role": "\(options.role.rawValue)", "version": "\(PenstockCommand.version)",
            ])
        do { try await run(runs, refusals, services, monitor, asking: resources.all) } catch {
            // What is left to do must end in time as well.
            stop.request()
            throw error
        }
        await resources.close(stop.openWork)
        withExtendedLifetime(admin) {}
        logger.notice("stopped")
    }

    private func pipeline(
        _ definition: PipelineDefinition, _ opened: [ResourceName: any Resource],
        clock: PipelineClock, random: RandomSource, logger: Logger, refusals: RefusalLog
    ) throws -> PipelineRun {
        let metrics = PipelineMetrics(
            registry: Self.metrics, pipeline: definition.name,
            stages: definition.stages,
            log: refusals, clock: clock)
        var context = StageContext(
            pipeline: definition.name, stage: "", sla: definition.sla,
            worker: ProcessEnvironment.worker, clock: clock, random: random, logger: logger,
            catalogue: catalogue, resources: opened, servesCallers: options.role != .worker)
        context.refusals = metrics
        context.owners = definitions.flatMap(\.stateOwners)
        context.meter = metrics.counter
        let graph = try PipelineGraph(
            stages: definition.stages.map { PlannedStage(id: $0.id, settings: $0.settings) },
            context: context)
        let environment = RunEnvironment(
            clock: clock, random: random, logger: logger, worker: context.worker,
            stop: AsyncEvent(),
            grace: options.service.grace,
            observer: metrics, openWork: stop.openWork)
        return PipelineRun(graph, role: options.role.ofRun, environment: environment)
    }

    /// Request services and pipelines stop together, so that one grace bounds both: a pipeline
    /// settles what it has taken from callers, and request services wait for that no longer than
    /// it has time.
    private func run(
        _ runs: [PipelineRun], _ refusals: [RefusalLog], _ services: [any RequestService],
        _ monitor: ReadinessMonitor, asking resources: [any Resource]
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await OpenResources.refuseMistakes(in: resources, until: stop.event)
            }
            group.addTask { await stop.openWork.during("probes") { await monitor.run() } }
            group.addTask { try await serve(services) }
            group.addTask {
                try await stop.event.wait()
                for run in runs { run.stop() }
            }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { telling in
                    for log in refusals { telling.addTask { await log.run() } }
                    try await withThrowingTaskGroup(of: Void.self) { pipelines in
                        for run in runs { pipelines.addTask { try await run.run() } }
                        try await pipelines.waitForAllOrFirstFailure()
                    }
                    telling.cancelAll()
                }
                stop.request()
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    /// Serves until the stop; returns when the last call has ended, or was ended.
    private func serve(_ services: [any RequestService]) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for service in services {
                group.addTask {
                    try await stop.openWork.during("calls of the API") {
                        try await service.run(grace: options.service.grace)
                    }
                    return false
                }
            }
            group.addTask {
                try await stop.event.wait()
                return true
            }
            while let isStop = try await group.next() {
                if isStop { group.cancelAll() }
            }
        }
    }
}

extension RunOptions.Role {
    fileprivate var ofRun: RunRole {
        switch self {
        case .all: .all
        case .api: .api
        case .worker: .worker
        }
    }
}
