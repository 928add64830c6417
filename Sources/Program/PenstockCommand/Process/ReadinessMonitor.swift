internal import AdminHTTP
internal import Concurrency
internal import Logging
internal import Metrics
internal import PipelineCore
internal import PipelineRuntime
internal import ReportService
internal import StandardCatalogue
internal import Synchronization

/// Whether this process can do its work: its resources are asked every one or two seconds, not for
/// each who wants to know, so that it is known within five seconds what is out of reach, and what
/// was out of reach for five seconds.
///
/// A cache is not needed, it costs hits, nor is a webhook's receiver, which is somebody else's;
/// whatever else the role uses has to answer, its pipelines have to run, and its API has to take
/// new clients. It also knows what is stuck, and says so only while everything can be reached: an
/// outage ends by itself.
final class ReadinessMonitor: Sendable {
    private static let interval: Duration = .milliseconds(1_500)
    /// A resource that has not answered for so long is out of reach.
    private static let patience: Duration = .seconds(3)
    /// How often a process that is ready looks at itself.
    private static let rhythm: Duration = .seconds(1)
    /// A process that is not: who waits for it is told at once.
    private static let quickRhythm: Duration = .milliseconds(100)
    /// Between two looks of one that runs there is less; more is a suspended machine.
    private static let longestBeat: Duration = .seconds(30)

    /// One thing that the process uses.
    private struct Part: Sendable {
        var name: String
        var isNeeded: Bool
        /// `nil` while all is well.
        var problem: String?
    }

    /// Something that is asked whether it is there.
    private struct Asked: Sendable {
        var name: String
        var isNeeded: Bool
        var backend: Backend?
        var probe: @Sendable () async throws -> Void
    }
    private struct Answer {
        var problem: String? = "has not been asked yet"
        var askedAt: Instant?
        /// When it was last told that there is no answer.
        var toldAt: Instant?
        /// When it was first well after it was not.
        var reachableSince: Instant?
    }
    /// Looks of the monitor itself.
    private struct Beat {
        var last: Instant
        /// Time that the process has run without being suspended counts from there.
        var since: Instant
        /// Pipelines that are stuck, and were told of.
        var told: Set<String> = []
    }
    private let asked: [Asked]
    private let stores: [String: any StandardStore]
    private let runs: [PipelineRun]
    private let needs: ProcessNeeds
    private let services: [any RequestService]
    private let generator: ReportGeneratorServer?
    private let stop: AsyncEvent
    /// Told whenever the process is ready.
    private let isReady: @Sendable () -> Void
    private let clock: PipelineClock
    private let logger: Logger?
    /// Told of what is away, also where nobody works with it just now.
    private let outages: Outages
    private let answers: Mutex<[String: Answer]>
    private let beat: Mutex<Beat>

    init(
        resources: [(name: String, resource: any Resource)], runs: [PipelineRun] = [],
        needs: ProcessNeeds = ProcessNeeds(), services: [any RequestService] = [],
        generator: ReportGeneratorServer? = nil,
        stop: AsyncEvent, clock: PipelineClock, logger: Logger? = nil, outages: Outages,
        isReady: @escaping @Sendable () -> Void = {}
    ) {
        self.isReady = isReady
        asked =
            resources.filter {
                !($0.resource is any RequestService) && !($0.resource is any LineInput)
            }.map { name, resource in
                Asked(
                    name: name, isNeeded: !resource.isDispensable && needs.includes(name),
                    backend: resource.backend, probe: { try await resource.probe() })
            }
            + runs.flatMap { run in
                run.generators.map { stage, generator in
                    Asked(
                        name: "\(run.name)/\(stage)", isNeeded: needs.includes(run),
                        probe: { try await generator.probe() })
                }
            }
        let stores = resources.compactMap { name, resource in
            (resource as? any StandardStore).map { (name, $0) }
        }
        self.stores = Dictionary(stores) { first, _ in first }
        self.runs = runs
        self.needs = needs
        self.services = services
        self.generator = generator
        self.stop = stop
        self.clock = clock
        self.logger = logger
        beat = Mutex(Beat(last: clock.now, since: clock.now))
        self.outages = outages
        answers = Mutex(Dictionary(asked.map { ($0.name, Answer()) }) { first, _ in first })
    }

    /// Asks until the stop.
    func run() async {
        await withThrowingTaskGroup(of: Void.self) { group in
            for asked in asked {
                group.addTask { [self] in
                    while true {
                        await ask(asked)
                        tellServices()
                        try await clock.sleep(for: Self.interval)
                    }
                }
            }
            group.addTask { [self] in
                while true {
                    try await clock.sleep(
                        for: readiness == .ready ? Self.rhythm : Self.quickRhythm)
                    look()
                    tellServices()
                }
            }
            try? await stop.wait()
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    private func ask(_ asked: Asked) async {
        let begin = clock.now
        answers.withLock { $0[asked.name]?.askedAt = begin }
        var problem: String?
        do {
            try await asked.probe()
            tellOfSilence(of: asked, at: clock.now)
            outages.answered(asked.backend, at: "probe \(asked.name)")
            if let backend = asked.backend {
                for run in runs { run.answered(backend, askedAt: begin) }
            }
        } catch is CancellationError {
            // The run ends: what was known of it stays so.
            return
        } catch {
            let known = error as? PipelineError
            problem = known?.message ?? "\(error)"
            // What else may be wrong is told of by whoever needs it.
            if known?.backend != nil {
                outages.failed(
                    "probe \(asked.name)", error, after: begin.duration(to: clock.now))
            }
        }
        let now = clock.now
        answers.withLock { answers in
            let last = answers[asked.name]
            let wasQuick = last?.askedAt.map { $0.duration(to: now) <= Self.patience } ?? false
            let since = wasQuick ? last?.reachableSince ?? now : now
            answers[asked.name] = Answer(
                problem: problem, reachableSince: problem == nil ? since : nil)
        }
    }

    /// What a server that stands still was asked never fails, here as everywhere: that it does not
    /// answer is told of by whoever looks.
    private func tellOfSilence(of asked: Asked, at now: Instant) {
        guard let backend = asked.backend else { return }
        let since: Instant? = answers.withLock { answers in
            guard let askedAt = answers[asked.name]?.askedAt,
                askedAt.duration(to: now) > Self.patience
            else { return nil }
            let last = answers[asked.name]?.toldAt
            if let last, last.duration(to: now) < Self.interval { return nil }
            answers[asked.name]?.toldAt = now
            return askedAt
        }
        guard let since else { return }
        outages.isSilent(backend, at: "probe \(asked.name)", for: since.duration(to: now))
    }

    /// Takes note that the process runs, and tells of backends that stand still, and of pipelines
    /// that are stuck now, or no longer.
    private func look() {
        let now = clock.now
        beat.withLock { beat in
            if beat.last.duration(to: now) > Self.longestBeat { beat.since = now }
            beat.last = now
        }
        for asked in asked { tellOfSilence(of: asked, at: now) }
        for run in runs {
            let reason = stuck(run)
            let isNews = beat.withLock { beat in
                reason == nil
                    ? beat.told.remove(run.name) != nil : beat.told.insert(run.name).inserted
            }
            guard isNews else { continue }
            if let reason {
                logger?.error(
                    "the pipeline is stuck: only a new start of the process helps",
                    metadata: ["pipeline": "\(run.name)", "reason": "\(reason)"])
            } else {
                logger?.notice(
                    "the pipeline gets on again", metadata: ["pipeline": "\(run.name)"])
            }
        }
    }

    /// Why the pipeline is stuck; `nil` while it is not, or while something is out of reach.
    private func stuck(_ run: PipelineRun) -> String? {
        let now = clock.now
        var since = beat.withLock { $0.since }
        for answer in answers.withLock({ Array($0.values) }) {
            let isOverdue = answer.askedAt.map { $0.duration(to: now) > Self.patience } ?? false
            guard let reachable = answer.reachableSince, !isOverdue else { return nil }
            since = max(since, reachable)
        }
        return run.stuck(at: now, reachableSince: since)
    }

    /// Whether the process gets on by itself.
    var liveness: Liveness {
        if stop.isSet { return .alive }
        // What blocks the threads blocks probes as well: then nobody is asked whether he is there.
        let silence = beat.withLock { $0.last.duration(to: clock.now) }
        if silence > PipelineProgress.patience {
            return .stuck(reason: "nothing runs for \(silence.components.seconds) s")
        }
        let reasons = runs.compactMap { run in stuck(run).map { "\(run.name): \($0)" } }
        return reasons.isEmpty ? .alive : .stuck(reason: reasons.joined(separator: "; "))
    }

    private func tellServices() {
        let isReady = readiness == .ready
        if isReady { self.isReady() }
        for service in services { service.setReady(isReady) }
        generator?.setReady(isReady)
    }

    private var parts: [Part] {
        let now = clock.now
        let answers = answers.withLock { $0 }
        var parts = asked.map { asked in
            let answer = answers[asked.name]
            var part = Part(
                name: asked.name, isNeeded: asked.isNeeded, problem: answer?.problem)
            if let askedAt = answer?.askedAt, askedAt.duration(to: now) > Self.patience {
                part.problem = "does not answer"
            }
            return part
        }
        parts += runs.map { run in
            let problem = run.problem ?? stuck(run).map { "is stuck: \($0)" }
            let isNeeded = needs.includes(run) && (problem != nil || needs.includesInputs)
            return Part(
                name: run.name, isNeeded: isNeeded, problem: problem ?? run.inputProblem)
        }
        parts += services.map { Part(name: "api", isNeeded: true, problem: $0.problem) }
        if let generator {
            parts.append(Part(name: "listener", isNeeded: true, problem: generator.problem))
        }
        return parts
    }

    var readiness: Readiness {
        if stop.isSet { return .notReady(reason: "stopping") }
        let reasons = parts.filter(\.isNeeded).compactMap { part in
            part.problem.map { "\(part.name): \($0)" }
        }
        return reasons.isEmpty ? .ready : .notReady(reason: reasons.joined(separator: "; "))
    }

    /// Serves what it finds, and what stores take of this machine's disk, as gauges for as long as
    /// it lives.
    func expose(in registry: MetricRegistry) {
        registry.setGauge(.ready) { [weak self] in self.map { $0.readiness == .ready ? 1 : 0 } }
        for name in Set(parts.map(\.name)) {
            registry.setGauge(.resourceUp, name) { [weak self] in
                self.map { monitor in
                    let isUp = monitor.parts.allSatisfy { $0.name != name || $0.problem == nil }
                    return isUp ? 1 : 0
                }
            }
        }
        for run in runs {
            registry.setGauge(.pipelineStuck, run.name) { [weak self] in
                self.map { $0.stop.isSet || $0.stuck(run) == nil ? 0 : 1 }
            }
        }
        for (name, store) in stores where store.disk != nil {
            registry.setGauge(.storeBytes, name) { [weak self] in
                (self?.stores[name]?.disk?.bytes).map(Double.init)
            }
            registry.setGauge(.storeFreeBytes, name) { [weak self] in
                (self?.stores[name]?.disk?.freeBytes).map(Double.init)
            }
        }
    }

    /// A line for each part: `ok`, `degraded` (this process is ready without it, as is said) or
    /// `FAIL`, and the reason.
    var details: String {
        (stop.isSet ? "FAIL  process  stops, or reads its files anew\n" : "")
            + parts.map { part in
                guard let problem = part.problem else { return "ok  \(part.name)\n" }
                return part.isNeeded
                    ? "FAIL  \(part.name)  \(problem)\n"
                    : "degraded  \(part.name)  \(problem) (not needed to be ready)\n"
            }.joined()
    }
}

extension Resource {
    /// Costs hits when it is away, or lets only its own calls wait.
    fileprivate var isDispensable: Bool {
        self is any WebhookEndpoint
            || self is any Cache && !(self is any Bus) && !(self is any StandardStore)
    }
}

extension MetricDeclaration {
    /// Those of every process that serves metrics.
    static let ofReadiness: [MetricDeclaration] = [
        ready, resourceUp, pipelineStuck, storeBytes, storeFreeBytes,
    ]

    fileprivate static let ready = gauge(
        "penstock_ready", "1 while the process can do its work, as /readyz says; 0 otherwise.")
    fileprivate static let resourceUp = gauge(
        "penstock_resource_up",
        "1 while a part of the process is well, as /readyz?verbose says: a resource by its address, a remote generator, a pipeline, the API.",
        labels: "resource")
    fileprivate static let pipelineStuck = gauge(
        "penstock_pipeline_stuck",
        "1 while a pipeline does not get on although work waits, as /healthz says; 0 otherwise.",
        labels: "pipeline")
    fileprivate static let storeBytes = gauge(
        "penstock_store_size_bytes", "What an embedded store's file takes, its log included.",
        labels: "resource")
    fileprivate static let storeFreeBytes = gauge(
        "penstock_store_free_bytes", "What is free for this process on the disk of that file.",
        labels: "resource")
}
