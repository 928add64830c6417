internal import Logging
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import StandardCatalogue

/// Pipelines and their front doors in this process.
struct ProcessRun: Sendable {
    let definitions: [PipelineDefinition]
    let catalogue: Catalogue
    let options: RunOptions
    let stop: Latch

    private static let metrics = MetricRegistry()

    func run() async throws {
        let logger = options.service.logger("penstock")
        logger.takeGRPCLog()
        let clock = PipelineClock.system
        let random = RandomSource()
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: clock, random: random, logger: logger, isRunning: true))
        var runs: [PipelineRun] = []
        for definition in definitions {
            let opened = try resources.open(definition)
            runs.append(
                try pipeline(
                    definition, opened, clock: clock, random: random, logger: logger))
        }
        for store in resources.stores where store.migratesItself { try await store.migrate() }
        let admin = try AdminServer(options.service.admin, registry: Self.metrics, stop: stop)
        logger.notice(
            "running",
            metadata: [
                "pipelines": "\(definitions.map(\.name).joined(separator: ","))",
                "role": "\(options.role.rawValue)", "version": "\(PenstockCommand.version)",
            ])
        let services =
            options.role == .worker
            ? [] : resources.all.compactMap { $0 as? any RequestService }
        try await run(runs, services)
        await resources.close()
        withExtendedLifetime(admin) {}
        logger.notice("stopped")
    }

    private func pipeline(
        _ definition: PipelineDefinition, _ opened: [ResourceName: any Resource],
        clock: PipelineClock, random: RandomSource, logger: Logger
    ) throws -> PipelineRun {
        var logger = logger
        logger[metadataKey: "pipeline"] = "\(definition.name)"
        let metrics = PipelineMetrics(registry: Self.metrics, pipeline: definition.name)
        var context = StageContext(
            pipeline: definition.name, stage: "", sla: definition.sla,
            worker: ProcessEnvironment.worker, clock: clock, random: random, logger: logger,
            catalogue: catalogue, resources: opened, servesCallers: options.role != .worker)
        context.owners = definitions.flatMap(\.stateOwners)
        context.meter = metrics.counted
        let graph = try PipelineGraph(
            stages: definition.stages.map { PlannedStage(id: $0.id, settings: $0.settings) },
            context: context)
        let environment = RunEnvironment(
            clock: clock, random: random, logger: logger, worker: context.worker, stop: Latch(),
            grace: options.service.grace,
            observer: metrics)
        return PipelineRun(
            graph, role: RunRole(rawValue: options.role.rawValue) ?? .all,
            environment: environment)
    }

    /// Front doors close first: calls in flight are settled by pipelines that still run.
    private func run(_ runs: [PipelineRun], _ services: [any RequestService]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await serve(services)
                for run in runs { run.stop() }
            }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { pipelines in
                    for run in runs { pipelines.addTask { try await run.run() } }
                    try await pipelines.waitForAllOrFirstFailure()
                }
                stop.open()
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    /// Serves until the stop; returns when the last call has ended.
    private func serve(_ services: [any RequestService]) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for service in services {
                group.addTask {
                    try await service.run()
                    return false
                }
            }
            group.addTask {
                try await stop.wait()
                return true
            }
            while let isStop = try await group.next() {
                if isStop { group.cancelAll() }
            }
        }
    }
}
