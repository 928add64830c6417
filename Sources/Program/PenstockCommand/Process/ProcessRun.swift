internal import AdminHTTP
internal import Concurrency
internal import Logging
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import StandardCatalogue
internal import Synchronization

/// Pipelines and their request services in this process.
struct ProcessRun: Sendable {
    /// How long new files may take to be ready before it is said whether they run here.
    private static let trialTime = Duration.seconds(20)
    /// How long a bus may take to say which log a topic is.
    private static let questionTime = Duration.seconds(2)

    /// Why a run came to its end.
    enum End: Sendable {
        /// By the process's stop, or since every input has ended.
        case stopped
        /// These take over.
        case reload([PipelineDefinition])
        /// A ledger has not taken note of these new pipelines in time: the old ones shall go on.
        case gaveWay(reason: String)
    }

    private let definitions: [PipelineDefinition]
    private let process: ProcessContext
    /// Others have run here before, and will again if these can't.
    private let isReload: Bool

    /// Everything is held up before anything is begun.
    private let beginsPaused: Bool

    /// Set when these pipelines shall end: by the process's stop, or for a reload.
    private let end = AsyncEvent()
    private let ready = AsyncEvent()
    private let accepted = AsyncEvent()

    init(
        _ definitions: [PipelineDefinition], in process: ProcessContext, isReload: Bool,
        beginsPaused: Bool
    ) {
        self.beginsPaused = beginsPaused
        self.definitions = definitions
        self.process = process
        self.isReload = isReload
        if !isReload { accepted.set() }
    }

    private var options: RunOptions { process.options }
    private var stop: ProcessStop { process.stop }
    private var logger: Logger { process.logger }

    /// Whether these pipelines stay, whatever becomes of them.
    var isAccepted: Bool { accepted.isSet }

    /// Runs until the stop, until every input has ended, or for a reload.
    ///
    /// - Parameters:
    ///   - reload: waits for one. Not called before these pipelines are accepted.
    ///   - tellAccepted: told once that the pipelines of a reload stay, and why they are not ready
    ///     yet.
    func run(
        reload: @escaping @Sendable () async throws -> [PipelineDefinition],
        accepted tellAccepted: @escaping @Sendable (_ problem: String?) -> Void
    ) async throws -> End {
        let clock = PipelineClock.system
        let random = RandomSource()
        let outages = process.outages.ofNextRun()
        var resources = OpenResources(
            catalogue: process.catalogue,
            context: ResourceContext(
                clock: clock, random: random, logger: logger, isRunning: true,
                metrics: process.registry, outages: outages))
        var runs: [PipelineRun] = []
        var refusals: [RefusalLog] = []
        var observers: [(pipeline: String, metrics: PipelineMetrics)] = []
        let opened = try definitions.map { try resources.open($0) }
        let owners = await owners(among: opened)
        for (definition, opened) in zip(definitions, opened) {
            var logger = logger
            logger[metadataKey: "pipeline"] = "\(definition.name)"
            let refused = RefusalLog(logger: logger, clock: clock)
            refusals.append(refused)
            let metrics = PipelineMetrics(
                registry: process.registry, pipeline: definition.name, stages: definition.stages,
                log: refused, clock: clock)
            observers.append((definition.name, metrics))
            runs.append(
                try pipeline(
                    definition, opened, owners,
                    outages.scoped(to: definition.name, logger: logger), clock: clock,
                    random: random, logger: logger, metrics: metrics))
        }
        outages.use(
            resources.backends.union(runs.flatMap(\.generators).flatMap(\.generator.backends)))
        for store in resources.stores where store.migratesItself { try await store.migrate() }
        do {
            try await refuseRepeats(among: owners, in: opened)
            for run in runs { try await run.refuseNames(within: Self.questionTime) }
        } catch {
            await close(resources)
            throw error
        }
        let services =
            options.role == .worker
            ? [] : resources.all.compactMap { $0 as? any RequestService }
        process.takeOver(by: services)
        let needs = ProcessNeeds(
            of: definitions, role: options.role, resources: resources, catalogue: process.catalogue)
        let monitor = ReadinessMonitor(
            resources: resources.named, runs: runs, needs: needs, services: services, stop: end,
            clock: clock, logger: logger, outages: outages, isReady: { ready.set() })
        monitor.expose(in: process.registry)
        process.monitor.replace(by: monitor) { [observers] in Self.status(of: observers) }
        logger.notice(
            "running",
            metadata: [
                "pipelines": "\(definitions.map(\.name).joined(separator: ","))",
                "role": "\(options.role.rawValue)", "version": "\(PenstockCommand.version)",
            ])
        let reason = Mutex(End.stopped)
        @Sendable func finish(_ end: End) {
            reason.withLock { $0 = end }
            self.end.set()
        }
        do {
            try await run(runs, refusals, services, monitor, asking: resources.all) { [runs] in
                if isReload {
                    try await ready(within: Self.trialTime)
                    var problem: String?
                    if !ready.isSet, case .notReady(let reason) = monitor.readiness {
                        problem = reason
                        // Whether what waits there is theirs is not known.
                        if !runs.allSatisfy(\.isPrepared) {
                            return finish(.gaveWay(reason: reason))
                        }
                    }
                    accepted.set()
                    tellAccepted(problem)
                }
                finish(.reload(try await reload()))
            }
        } catch {
            // The process ends, and what is left to do must end in time as well; unless others
            // take over, who need the addresses.
            if stop.event.isSet || isAccepted { stop.request() } else { await close(resources) }
            throw error
        }
        await close(resources)
        let end = stop.event.isSet ? .stopped : reason.withLock { $0 }
        switch end {
        case .stopped: logger.notice("stopped")
        case .reload: logger.notice("reload: the new files take over")
        case .gaveWay: break
        }
        return end
    }

    /// Returns once these pipelines have been ready, or their time is over.
    private func ready(within limit: Duration) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await ready.wait() }
            group.addTask { try await PipelineClock.system.sleep(for: limit) }
            try await group.next()
            group.cancelAll()
        }
    }

    /// What does not close in time closes meanwhile: a stop ends by force then, a reload goes on.
    private func close(_ resources: OpenResources) async {
        let limit = options.service.grace + .seconds(2)
        let isClosed: Bool? = await abandoned(
            after: { try await PipelineClock.system.sleep(for: limit) }
        ) {
            await resources.close(stop.openWork)
            return true
        }
        if isClosed == nil, !stop.event.isSet {
            logger.warning(
                "the old pipelines' connections do not close: they are left to the process's end",
                metadata: ["unfinished": "\(stop.openWork.names.joined(separator: "; "))"])
        }
    }

    /// What waits, for a service manager; of one pipeline without its name.
    private static func status(
        of observers: [(pipeline: String, metrics: PipelineMetrics)]
    ) -> String? {
        let known = observers.compactMap { pipeline, metrics in
            metrics.status.map { (pipeline, $0) }
        }
        if known.isEmpty { return nil }
        if known.count == 1 { return known[0].1 }
        return known.map { "\($0): \($1)" }.joined(separator: "; ")
    }

    /// Whose state these pipelines may have, as far as their buses tell which logs they read.
    private func owners(among opened: [[ResourceName: any Resource]]) async -> [StateOwner] {
        var owners: [StateOwner] = []
        for (definition, opened) in zip(definitions, opened) {
            owners += await definition.stateOwners(in: opened, within: Self.questionTime)
        }
        return owners
    }

    /// What would be stored twice is refused before the pipelines that run give way for good.
    private func refuseRepeats(
        among owners: [StateOwner], in opened: [[ResourceName: any Resource]]
    ) async throws {
        for (definition, opened) in zip(definitions, opened) {
            let found = await definition.repeatedStoring(
                among: owners, in: opened, within: Self.questionTime)
            if let (_, objection) = found.first {
                throw PipelineError.fatal(
                    .stateUnowned, "\(objection.problem); \(objection.remedy)")
            }
        }
    }

    private func pipeline(
        _ definition: PipelineDefinition, _ opened: [ResourceName: any Resource],
        _ owners: [StateOwner], _ outages: Outages, clock: PipelineClock, random: RandomSource,
        logger: Logger,
        metrics: PipelineMetrics
    ) throws -> PipelineRun {
        var context = StageContext(
            pipeline: definition.name, stage: "", sla: definition.sla,
            worker: ProcessEnvironment.worker, clock: clock, random: random, logger: logger,
            catalogue: process.catalogue, resources: opened, servesCallers: options.role != .worker)
        context.outages = outages
        context.refusals = metrics
        context.owners = owners
        context.meter = metrics.counter
        let graph = try PipelineGraph(
            stages: definition.stages.map { PlannedStage(id: $0.id, settings: $0.settings) },
            context: context)
        var environment = RunEnvironment(
            clock: clock, random: random, logger: logger, worker: context.worker,
            stop: AsyncEvent(),
            grace: options.service.grace,
            observer: metrics, openWork: stop.openWork)
        if beginsPaused {
            environment.pauseAtStart = ("started with --paused", ProcessEnvironment.user)
        }
        environment.outages = outages
        environment.letters = TopicLetters(definition, opened).counting
        return PipelineRun(graph, role: options.role.ofRun, environment: environment)
    }

    /// Request services and pipelines stop together, so that one grace bounds both: a pipeline
    /// settles what it has taken from callers, and request services wait for that no longer than
    /// it has time.
    private func run(
        _ runs: [PipelineRun], _ refusals: [RefusalLog], _ services: [any RequestService],
        _ monitor: ReadinessMonitor, asking resources: [any Resource],
        reload: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await unlessEnded { try await stop.event.wait() }
                end.set()
            }
            group.addTask { try await unlessEnded { try await reload() } }
            group.addTask {
                try await OpenResources.refuseMistakes(in: resources, until: end)
            }
            group.addTask { await stop.openWork.during("probes") { await monitor.run() } }
            group.addTask { try await serve(services) }
            group.addTask {
                try await end.wait()
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
                // Every input has ended, or it was asked to; a failure beside it is told by that.
                if !end.isSet, !Task.isCancelled { stop.request() }
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    private func unlessEnded(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { try await end.wait() }
            try await group.next()
            group.cancelAll()
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
                try await end.wait()
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
