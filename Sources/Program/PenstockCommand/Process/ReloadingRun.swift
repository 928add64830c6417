internal import AdminHTTP
internal import CommandLineInterface
internal import Concurrency
internal import GRPCTransport
internal import Logging
internal import Metrics
internal import PipelineConfiguration
internal import PipelineCore
internal import Synchronization

/// Runs pipelines until the process's stop, and anew from their files at each reload.
///
/// A reload reads and checks the files and asks their stores and caches first; what is not in order
/// changes nothing. Then sources end, what is in flight settles within the grace, everything is
/// built anew and goes on from the ledger: what waits there keeps its place and its deadline. If
/// the new files turn out not to run here before they have become ready once, the old ones go on.
struct ReloadingRun: Sendable {
    let files: [String]
    let catalogue: Catalogue
    let options: RunOptions
    let logger: Logger
    let stop: ProcessStop

    private static let registry = MetricRegistry()
    /// Whoever is asked whether the process is ready asks the one that runs.
    private let current = CurrentMonitor()
    /// What the admin service works on, and whom a reload answers.
    private let running = RunningDefinitions()
    private let requests = ReloadRequests()
    private let watched: WatchedFiles
    private let outages: Outages

    init(
        files: [String], catalogue: Catalogue, options: RunOptions, logger: Logger,
        stop: ProcessStop
    ) {
        self.files = files
        self.catalogue = catalogue
        self.options = options
        self.logger = logger
        self.stop = stop
        outages = Outages(clock: .system, logger: logger)
        watched = WatchedFiles(files.filter { $0 != "-" })
    }

    /// - Throws: ``PipelineError`` when the first pipelines can't run here, or those that run can't
    ///   go on.
    func run(_ first: [PipelineDefinition]) async throws {
        logger.takeGRPCLog()
        for result in ["done", "refused", "undone"] { _ = Self.registry.counter(.reloads, result) }
        let admin = try AdminServer(
            options.service.admin, registry: Self.registry,
            readiness: { readiness }, liveness: { current.liveness },
            details: { current.details })
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
        guard let address = options.adminService else { return nil }
        let service = try AdminService(
            address, catalogue: catalogue, definitions: { [running] in running.all },
            reload: { [requests] () throws(GRPCStatusError) in try await requests.ask() })
        try service.start(logger)
        return service
    }

    private func runPipelines(_ first: [PipelineDefinition]) async throws {
        let manager = ServiceManager(ProcessEnvironment.variables)
        async let _ = manager?.tell(
            { readiness }, { current.liveness }, stop: stop.event, clock: .system,
            status: { current.status })
        var definitions = first
        var former: [PipelineDefinition]?
        while true {
            running.replace(by: definitions)
            var run = ProcessRun(
                definitions: definitions, catalogue: catalogue, options: options, logger: logger,
                stop: stop, registry: Self.registry, outages: outages, monitor: current,
                isReload: former != nil)
            run.isReadyForReload = { [requests] in requests.done($0) }
            do {
                guard let next = try await run.run(reload: { try await reread() }) else { return }
                former = definitions
                definitions = next
            } catch let error as PipelineError {
                guard let old = former, !run.wasReady, !stop.event.isSet else { throw error }
                Self.registry.counter(.reloads, "undone").increment()
                requests.refused(because: "the new files can't run here: \(error)")
                logger.error(
                    "reload undone: the new files can't run here, the old ones go on",
                    metadata: ["error": "\(error)"])
                definitions = old
                former = nil
            }
        }
    }

    private var readiness: Readiness {
        stop.event.isSet ? .notReady(reason: "stopping") : current.readiness
    }

    /// Waits for a reload whose files are in order. Those that are not are told of.
    private func reread() async throws -> [PipelineDefinition] {
        while true {
            try await asked()
            requests.begin()
            watched.look()
            logger.notice("reload: reading the files anew")
            do {
                guard !files.contains("-") else {
                    throw CommandFailure(.usage, "standard input can't be read a second time")
                }
                let next = try PipelineFiles.reread(files, catalogue: catalogue)
                try await look(at: next)
                Self.registry.counter(.reloads, "done").increment()
                return next
            } catch let error as CancellationError {
                throw error
            } catch {
                Self.registry.counter(.reloads, "refused").increment()
                requests.refused(because: (error as? CommandFailure)?.message ?? "\(error)")
                logger.error(
                    "reload refused: the pipelines go on as before",
                    metadata: ["error": "\((error as? CommandFailure)?.message ?? "\(error)")"])
            }
        }
    }

    /// Waits for SIGHUP, or with `--watch` for another content of the files.
    private func asked() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await stop.reload.wait() }
            group.addTask { try await requests.asked.wait() }
            if options.watch { group.addTask { try await watched.change() } }
            try await group.next()
            group.cancelAll()
        }
    }

    /// - Throws: ``PipelineError``, fatal, for an address or a login that will not do.
    private func look(at definitions: [PipelineDefinition]) async throws {
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: .system, random: RandomSource(), logger: logger, isRunning: false))
        for definition in definitions { _ = try resources.open(definition) }
        do {
            try await OpenResources.refuseMistakes(in: resources.all, until: stop.event)
        } catch {
            await resources.close()
            throw error
        }
        await resources.close()
    }
}

/// The pipelines that run now.
private final class RunningDefinitions: Sendable {
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
        "Reloads of the pipeline files: done, refused (files not in order, nothing changed) or undone (they could not run here).",
        labels: "result")
}
