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
    /// How long a store may take to say what it knows of the pipelines' names.
    private static let nameTime = Duration.seconds(2)
    /// How long new files may take to be ready before it is said whether they run here.
    private static let trialTime = Duration.seconds(20)
    /// How long the pipelines before a reload may take to settle what is in flight: what has not by
    /// then is handed back, and taken up by those that follow.
    static let drainTime = Duration.seconds(1)
    /// How long callers wait for pipelines whose ledger has not taken note of them yet: those may
    /// turn out not to run here.
    private static let holdTime = Duration.seconds(2)

    /// Why a run came to its end.
    enum End: Sendable {
        /// By the process's stop, or since every input has ended.
        case stopped
        /// These take over.
        case reload(OwnedPipelines)
        /// A ledger has not taken note of these new pipelines in time: the old ones shall go on.
        case gaveWay(reason: String)
    }

    private let pipelines: OwnedPipelines
    private let process: ProcessContext
    /// Others have run here before, and will again if these can't.
    private let isReload: Bool

    /// Everything is held up before anything is begun.
    private let beginsPaused: Bool

    /// Set when these pipelines shall end: by the process's stop, or for a reload.
    private let end = AsyncEvent()
    private let ready = AsyncEvent()
    private let accepted = AsyncEvent()
    /// Set when the last call has ended, or was ended.
    private let served = AsyncEvent()

    init(
        _ pipelines: OwnedPipelines, in process: ProcessContext, isReload: Bool, beginsPaused: Bool
    ) {
        self.beginsPaused = beginsPaused
        self.pipelines = pipelines
        self.process = process
        self.isReload = isReload
        if !isReload { accepted.set() }
    }

    /// Whether the process ends; otherwise others take over.
    private var isEnding: Bool { stop.event.isSet }
    private var definitions: [PipelineDefinition] { pipelines.definitions }
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
        reload: @escaping @Sendable () async throws -> OwnedPipelines,
        accepted tellAccepted: @escaping @Sendable (_ problem: String?) -> Void
    ) async throws -> End {
        let outages = process.outages.ofNextRun()
        var resources = OpenResources(
            catalogue: process.catalogue,
            context: ResourceContext(
                clock: .system, random: RandomSource(), logger: logger, isRunning: true,
                metrics: process.registry, outages: outages))
        let parts: Parts
        do { parts = try await assemble(with: &resources, outages) } catch {
            await close(resources)
            throw error
        }
        let (runs, monitor) = (parts.runs, parts.monitor)
        let reason = Mutex(End.stopped)
        @Sendable func finish(_ end: End) {
            reason.withLock { $0 = end }
            self.end.set()
        }
        do {
            try await run(parts, asking: resources.all) {
                if isReload {
                    try await first(within: Self.trialTime) { try await ready.wait() }
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

    /// What runs.
    private struct Parts: Sendable {
        var runs: [PipelineRun]
        var refusals: [RefusalLog]
        var services: [any RequestService]
        var monitor: ReadinessMonitor
    }

    /// Builds everything, and lets it be known as what this process runs.
    private func assemble(
        with resources: inout OpenResources, _ outages: Outages
    ) async throws -> Parts {
        let clock = PipelineClock.system
        let random = RandomSource()
        var runs: [PipelineRun] = []
        var refusals: [RefusalLog] = []
        var observers: [(pipeline: String, metrics: PipelineMetrics)] = []
        let opened = try definitions.map { try resources.open($0) }
        let owners = await pipelines.owners(in: opened)
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
        try await pipelines.refuseRepeats(among: owners, in: opened)
        // A reload has asked before the old pipelines gave way.
        if !isReload { try await refuseNames(of: runs) }
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
        return Parts(runs: runs, refusals: refusals, services: services, monitor: monitor)
    }

    /// What the stores know of other names is refused before anything is said to run.
    private func refuseNames(of runs: [PipelineRun]) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for run in runs {
                group.addTask { try await run.refuseNames(within: Self.nameTime) }
            }
            try await group.waitForAllOrFirstFailure()
        }
    }

    /// Returns once `body` has, at the end of these pipelines, or when its time is over.
    private func first(
        within limit: Duration, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await body() }
            group.addTask { try await PipelineClock.system.sleep(for: limit) }
            group.addTask { try await stop.event.wait() }
            try await group.next()
            group.cancelAll()
        }
    }

    /// What does not close in time closes meanwhile: a stop ends by force then, a reload goes on.
    private func close(_ resources: OpenResources) async {
        let limit = isEnding ? options.service.grace + .seconds(2) : Self.drainTime
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
        _ parts: Parts, asking resources: [any Resource],
        reload: @escaping @Sendable () async throws -> Void
    ) async throws {
        let runs = parts.runs
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await unlessEnded { try await stop.event.wait() }
                end.set()
            }
            group.addTask { try await unlessEnded { try await reload() } }
            group.addTask {
                try await OpenResources.refuseMistakes(in: resources, until: end)
            }
            group.addTask { await stop.openWork.during("probes") { await parts.monitor.run() } }
            group.addTask {
                defer { served.set() }
                if isReload {
                    try await first(within: Self.holdTime) {
                        for run in runs { try await run.prepared() }
                    }
                }
                try await serve(parts.services)
            }
            group.addTask {
                try await end.wait()
                if isEnding { return runs.forEach { $0.stop() } }
                // Whoever has called is answered by those whom he called.
                try await first(within: Self.drainTime) { try await served.wait() }
                for run in runs { run.stop(within: Self.drainTime) }
            }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { telling in
                    for log in parts.refusals { telling.addTask { await log.run() } }
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
