internal import Metrics
internal import PipelineCore
internal import PipelineRuntime
internal import StandardCatalogue
internal import Synchronization

/// Whether this process can do its work: its resources are asked every few seconds, not for each who wants to know.
///
/// A cache is not needed, it costs hits; whatever else the role uses has to answer, its pipelines have to run, and its
/// API has to take new clients.
final class ReadinessMonitor: Sendable {
    static let interval: Duration = .seconds(5)
    /// A resource that has not answered for so long is out of reach.
    static let patience: Duration = .seconds(3)

    /// One thing that the process uses.
    struct Part: Sendable {
        var name: String
        var isNeeded: Bool
        /// `nil` while all is well.
        var problem: String?
    }

    private struct Probe {
        var problem: String? = "has not been asked yet"
        var askedAt: Instant?
    }
    private let resources: [(name: String, resource: any Resource)]
    private let runs: [PipelineRun]
    private let services: [any RequestService]
    private let stop: AsyncEvent
    private let clock: PipelineClock
    private let probes: Mutex<[String: Probe]>

    init(
        resources: [(name: String, resource: any Resource)], runs: [PipelineRun],
        services: [any RequestService], stop: AsyncEvent, clock: PipelineClock
    ) {
        self.resources = resources.filter {
            !($0.resource is any RequestService) && !($0.resource is any LineInput)
        }
        self.runs = runs
        self.services = services
        self.stop = stop
        self.clock = clock
        probes = Mutex(
            Dictionary(self.resources.map { ($0.name, Probe()) }) { first, _ in first })
    }

    /// Asks until the stop.
    func run() async {
        await withThrowingTaskGroup(of: Void.self) { group in
            for (name, resource) in resources {
                group.addTask { [self] in
                    while true {
                        await ask(resource, name)
                        tellServices()
                        try await clock.sleep(for: Self.interval)
                    }
                }
            }
            group.addTask { [self] in
                while true {
                    // Whoever waits for a process that starts is told at once.
                    try await clock.sleep(
                        for: readiness == .ready ? Self.interval / 5 : Self.interval / 50)
                    tellServices()
                }
            }
            try? await stop.wait()
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    private func ask(_ resource: any Resource, _ name: String) async {
        probes.withLock { $0[name]?.askedAt = clock.now }
        var problem: String?
        do { try await resource.probe() } catch {
            problem = (error as? PipelineError)?.message ?? "\(error)"
        }
        probes.withLock { $0[name] = Probe(problem: problem) }
    }

    private func tellServices() {
        let isReady = readiness == .ready
        for service in services { service.setReady(isReady) }
    }

    var parts: [Part] {
        let now = clock.now
        let asked = probes.withLock { $0 }
        var parts = resources.map { name, resource in
            var part = Part(
                name: name, isNeeded: !resource.isOnlyCache, problem: asked[name]?.problem)
            if let askedAt = asked[name]?.askedAt, askedAt.duration(to: now) > Self.patience {
                part.problem = "does not answer"
            }
            return part
        }
        parts += runs.map { Part(name: $0.name, isNeeded: true, problem: $0.problem) }
        parts += services.map { Part(name: "api", isNeeded: true, problem: $0.problem) }
        return parts
    }

    var readiness: Readiness {
        if stop.isSet { return .notReady(reason: "stopping") }
        let reasons = parts.filter(\.isNeeded).compactMap { part in
            part.problem.map { "\(part.name): \($0)" }
        }
        return reasons.isEmpty ? .ready : .notReady(reason: reasons.joined(separator: "; "))
    }

    /// A line for each part: `ok`, `degraded` (it works without) or `FAIL`, and the reason.
    var details: String {
        parts.map { part in
            let verdict = part.problem == nil ? "ok" : part.isNeeded ? "FAIL" : "degraded"
            return "\(verdict)  \(part.name)\(part.problem.map { "  \($0)" } ?? "")\n"
        }.joined()
    }
}

extension Resource {
    fileprivate var isOnlyCache: Bool {
        self is any Cache && !(self is any Bus) && !(self is any StandardStore)
    }
}
