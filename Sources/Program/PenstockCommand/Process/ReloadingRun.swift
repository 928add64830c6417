internal import AdminHTTP
internal import CommandLineInterface
internal import Concurrency
internal import GRPCTransport
internal import Identity
internal import Logging
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import ReportService
internal import Synchronization

/// What the runs of a process share, one after the other.
struct ProcessContext: Sendable {
    let catalogue: Catalogue
    let options: RunOptions
    let logger: Logger
    let stop: ProcessStop
    let registry = MetricRegistry()
    /// What is away is away for all pipelines, and over reloads.
    let outages: Outages
    /// Whoever asks whether the process is ready asks the one that runs.
    let monitor = CurrentMonitor()
    private let services = RequestServices()

    init(catalogue: Catalogue, options: RunOptions, logger: Logger, stop: ProcessStop) {
        self.catalogue = catalogue
        self.options = options
        self.logger = logger
        self.stop = stop
        outages = Outages(clock: .system, logger: logger, metrics: registry)
    }

    /// Gives the services of a run the addresses of the run before, so that no caller is turned
    /// away between the two. An address that is not named any more is closed.
    func takeOver(by services: [any RequestService]) {
        let former = self.services.replace(by: services)
        for service in services {
            service.keepAddress(
                drain: ProcessRun.drainTime, if: { [stop] in !stop.event.isSet })
            for other in former { service.takeOver(from: other) }
        }
    }

    private final class RequestServices: Sendable {
        private let current = Mutex<[any RequestService]>([])

        func replace(by services: [any RequestService]) -> [any RequestService] {
            current.withLock { current in
                defer { current = services }
                return current
            }
        }
    }
}

/// Runs pipelines until the process's stop, and anew from their files at each reload.
///
/// A reload reads and checks the files and asks what they use first; what is not in order changes
/// nothing. Then sources end, what is in flight settles within a second or is handed back, and
/// everything is built anew and goes on from the ledger: what waits there keeps its place and its
/// deadline. If
/// the new files turn out not to run here before they have become ready once, the old ones go on.
/// Each reload has one answer, in the log and in `penstock_reloads_total`; the next one begins
/// after it.
struct ReloadingRun: Sendable {
    /// How long what new files use is asked for mistakes; what does not answer is none.
    static let questionTime = Duration.seconds(5)

    let files: [String]
    let process: ProcessContext

    /// What the admin service works on, and whom a reload answers.
    let running = RunningDefinitions()
    private let requests = ReloadRequests()
    private let watched: WatchedFiles

    init(files: [String], process: ProcessContext) {
        self.files = files
        self.process = process
        watched = WatchedFiles(files.filter { $0 != "-" })
    }

    private enum Answer: String, CaseIterable { case done, refused, undone }

    private var stop: ProcessStop { process.stop }

    /// - Throws: ``PipelineError`` when the first pipelines can't run here, or those that run can't
    ///   go on.
    func run(_ first: [PipelineDefinition]) async throws {
        process.logger.takeGRPCLog()
        for answer in Answer.allCases { _ = process.registry.counter(.reloads, answer.rawValue) }
        let admin = try AdminServer(
            process.options.service.admin, registry: process.registry,
            readiness: { readiness }, liveness: { process.monitor.liveness },
            details: { process.monitor.details })
        defer { withExtendedLifetime(admin) {} }
        let service = try adminService()
        defer { requests.end() }
        do {
            try await runPipelines(first)
        } catch {
            await service?.shutdown()
            throw error
        }
        await service?.shutdown()
    }

    private func adminService() throws -> AdminService? {
        guard let address = process.options.adminService else { return nil }
        var sources = CredentialSources()
        sources.tokens = process.options.tokens
        let access = try AccessControl(
            sources, clock: .system,
            log: LibraryLog("admin service", clock: .system, logger: process.logger))
        let service = try AdminService(
            address, access: access, catalogue: process.catalogue, logger: process.logger,
            definitions: { [running] in running.all },
            reload: { [requests] () throws(GRPCStatusError) in try await requests.ask() })
        try service.start()
        return service
    }

    private func runPipelines(_ first: [PipelineDefinition]) async throws {
        let manager = ServiceManager(ProcessEnvironment.variables)
        async let _ = manager?.tell(
            { readiness }, { process.monitor.liveness }, stop: stop.event, clock: .system,
            status: { process.monitor.status })
        var pipelines = OwnedPipelines(first)
        var former: OwnedPipelines?
        var isFirst = true
        while true {
            running.replace(by: pipelines.definitions)
            let run = ProcessRun(
                pipelines, in: process, isReload: former != nil,
                beginsPaused: process.options.paused && isFirst)
            isFirst = false
            do {
                let end = try await run.run(reload: { try await reread() }) { accepted(unless: $0) }
                switch end {
                case .stopped: return
                case .reload(let next): (former, pipelines) = (pipelines, next)
                case .gaveWay(let reason):
                    undone(because: reason)
                    (former, pipelines) = (nil, former ?? pipelines)
                }
            } catch let error as PipelineError {
                guard let old = former, !run.isAccepted, !stop.event.isSet else { throw error }
                undone(because: "\(error)")
                (former, pipelines) = (nil, old)
            }
        }
    }

    private var readiness: Readiness {
        stop.event.isSet ? .notReady(reason: "stopping") : process.monitor.readiness
    }

    private func count(_ answer: Answer) {
        process.registry.counter(.reloads, answer.rawValue).increment()
    }

    /// - Parameter problem: what keeps them from being ready.
    private func accepted(unless problem: String?) {
        count(.done)
        requests.done(Reloaded(pipelines: running.all.map(\.name), problem: problem))
        guard let problem else {
            return process.logger.notice("reload: goes on with the new files")
        }
        process.logger.warning(
            "reload: goes on with the new files, which are not ready yet",
            metadata: ["reason": "\(problem)"])
    }

    private func undone(because reason: String) {
        count(.undone)
        requests.refused(because: "the new files can't run here: \(reason)")
        process.logger.error(
            "reload undone: the new files can't run here, the old ones go on",
            metadata: ["error": "\(reason)"])
    }

    /// Waits for a reload whose files are in order. Those that are not are told of.
    private func reread() async throws -> OwnedPipelines {
        while true {
            try await asked()
            requests.begin()
            watched.look()
            process.logger.notice("reload: reading the files anew")
            do {
                guard !files.contains("-") else {
                    throw CommandFailure(.usage, "standard input can't be read a second time")
                }
                let next = try PipelineFiles.reread(files, catalogue: process.catalogue)
                async let isLeaving: Void = refuseLeaving(running.all, for: next)
                let owners = try await look(at: next)
                try await isLeaving
                return OwnedPipelines(next, owners: owners)
            } catch let error as CancellationError {
                throw error
            } catch {
                let reason = (error as? CommandFailure)?.message ?? "\(error)"
                count(.refused)
                requests.refused(because: reason)
                process.logger.error(
                    "reload refused: the pipelines go on as before",
                    metadata: ["error": "\(reason)"])
            }
        }
    }

    /// Waits for SIGHUP, or with `--watch` for another content of the files.
    private func asked() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await stop.reload.wait() }
            group.addTask { try await requests.asked.wait() }
            if process.options.watch { group.addTask { try await watched.change() } }
            try await group.next()
            group.cancelAll()
        }
    }
}

/// The pipelines that run now.
final class RunningDefinitions: Sendable {
    private let definitions = Mutex<[PipelineDefinition]>([])
    var all: [PipelineDefinition] { definitions.withLock { $0 } }
    func replace(by new: [PipelineDefinition]) { definitions.withLock { $0 = new } }
}

/// What pipeline files held when they were last looked at.
private final class WatchedFiles: Sendable {
    private static let interval = Duration.seconds(1)

    private let files: [String]
    private let known: Mutex<[[UInt8]?]>

    init(_ files: [String]) {
        self.files = files
        known = Mutex(Self.contents(of: files))
    }

    /// `nil` for one that can't be read.
    private static func contents(of files: [String]) -> [[UInt8]?] {
        files.map { try? ProcessEnvironment.readPipeline($0) }
    }

    func look() {
        let contents = Self.contents(of: files)
        known.withLock { $0 = contents }
    }

    /// Returns once they hold something else, and the same at two looks: whoever writes a file may
    /// need several steps.
    func change() async throws {
        var last = known.withLock { $0 }
        while true {
            try await PipelineClock.system.sleep(for: Self.interval)
            let now = Self.contents(of: files)
            if now == last, now != known.withLock({ $0 }) { return }
            last = now
        }
    }
}

/// The monitor of what runs now.
final class CurrentMonitor: Sendable {
    private struct State {
        var monitor: ReadinessMonitor?
        var status: @Sendable () -> String? = { nil }
    }
    private let state = Mutex(State())

    /// - Parameter status: what waits, in a few words; `nil` while nobody knows.
    func replace(by monitor: ReadinessMonitor, status: @escaping @Sendable () -> String?) {
        state.withLock { $0 = State(monitor: monitor, status: status) }
    }

    var readiness: Readiness {
        state.withLock { $0.monitor }?.readiness ?? .notReady(reason: "is starting")
    }
    var liveness: Liveness { state.withLock { $0.monitor }?.liveness ?? .alive }
    var details: String { state.withLock { $0.monitor }?.details ?? "" }
    var status: String? { state.withLock { $0.status }() }
}

extension MetricDeclaration {
    /// Those of `run` itself.
    static let ofProcesses: [MetricDeclaration] = [reloads]

    fileprivate static let reloads = counter(
        "penstock_reloads_total",
        "Reloads of the pipeline files, one answer each: done (the new files run here), refused (not in order, nothing changed) or undone (they could not run here, the old ones go on).",
        labels: "result")
}
