internal import Concurrency
internal import CommandLineInterface
internal import ConversionReports
internal import Logging
internal import Metrics
internal import PipelineCore
internal import ReportService
internal import StandardCatalogue

/// The generator of this process, served until the stop.
struct GeneratorRun: Sendable {
    let options: GenerateOptions
    let catalogue: Catalogue
    let logger: Logger
    let stop: ProcessStop

    func run() async throws {
        logger.takeGRPCLog()
        let clock = PipelineClock.system
        let registry = MetricRegistry()
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: clock, random: RandomSource(), logger: logger, isRunning: false,
                metrics: registry))
        let address = try StandardStoreAddress.of(options.store)
        let store = try resources.openStore(address)
        guard store.isThere else {
            throw CommandFailure(
                .unavailable,
                "\(address) is not there: --store or PENSTOCK_STORE must name the store with the events"
            )
        }
        if store.migratesItself { try await store.migrate() }
        let metrics = GeneratorMetrics(registry: registry)
        var settings = ReportGeneratorServer.Configuration(
            address: String(options.listen.dropFirst("grpc://".count)))
        settings.grace = options.service.grace
        let server = ReportGeneratorServer(
            configuration: settings, generator: ConversionGenerator(store: store.reports),
            clock: clock, logger: logger, metrics: registry, observe: metrics.observe)
        let outages = Outages(clock: clock, logger: logger, metrics: registry)
        outages.use(resources.backends)
        let monitor = ReadinessMonitor(
            resources: resources.named, generator: server, stop: stop.event, clock: clock,
            outages: outages)
        monitor.expose(in: registry)
        let admin = try AdminServer(
            options.service.admin, registry: registry, monitor: monitor)
        logger.notice(
            "running",
            metadata: ["store": "\(address)", "version": "\(PenstockCommand.version)"])
        try await OpenResources.refuseMistakes(in: [store], until: stop.event)
        let manager = ServiceManager(ProcessEnvironment.variables)
        async let _ = manager?.tell(
            { monitor.readiness }, { monitor.liveness }, stop: stop.event, clock: clock,
            status: { nil })
        do { try await serve(server, monitor) } catch {
            stop.request()
            throw error
        }
        await resources.close(stop.openWork)
        withExtendedLifetime(admin) {}
        logger.notice("stopped")
    }

    private func serve(
        _ server: ReportGeneratorServer, _ monitor: ReadinessMonitor
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [stop] in
                try await stop.openWork.during("calls of the generator") { try await server.run() }
            }
            group.addTask { [stop] in
                await stop.openWork.during("probes") { await monitor.run() }
            }
            // The stop ends the monitor and with it the server, and a server that can't listen ends
            // the monitor.
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

/// Counts what a served generator does, for Prometheus.
private struct GeneratorMetrics: Sendable {
    private let registry: MetricRegistry

    /// All are zero from the start.
    init(registry: MetricRegistry) {
        self.registry = registry
        for metric: MetricDeclaration in [
            .runs, .generatedCases, .caseErrors, .rows, .failedGenerations,
        ] {
            _ = registry.counter(metric)
        }
    }

    func observe(_ run: ServedRun) {
        switch run {
        case .generated(let cases, let failures, let rowsRead, let took):
            registry.counter(.runs).increment()
            registry.counter(.generatedCases).increment(by: cases)
            registry.counter(.caseErrors).increment(by: failures)
            if let rowsRead { registry.counter(.rows).increment(by: Int(rowsRead)) }
            registry.histogram(.runSeconds, "generated").observe(took)
        case .failed(let took):
            registry.counter(.failedGenerations).increment()
            registry.histogram(.runSeconds, "failed").observe(took)
        }
    }
}

extension MetricDeclaration {
    /// Those of a process that serves generation.
    static let ofGenerators: [MetricDeclaration] = [
        runs, generatedCases, caseErrors, rows, failedGenerations, runSeconds,
    ]

    fileprivate static let runs = counter(
        "penstock_generator_batches_total", "Batches generated.")
    fileprivate static let generatedCases = counter(
        "penstock_generator_cases_total", "Cases answered, errors included.")
    fileprivate static let caseErrors = counter(
        "penstock_generator_case_errors_total", "Cases answered by an error.")
    fileprivate static let rows = counter(
        "penstock_generator_rows_total", "Rows read from the store.")
    fileprivate static let failedGenerations = counter(
        "penstock_generator_failed_runs_total", "Runs that failed.")
    fileprivate static let runSeconds = histogram(
        "penstock_generator_run_seconds", "Time of a run.", labels: "outcome", buckets: .run)
}

extension Histogram.Buckets {
    /// Seconds, from a hundredth to ten minutes: what a batch takes.
    static let run = Self([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600])
    /// Seconds, from one to two days: what a case waits.
    static let wait = Self([
        1, 5, 15, 60, 300, 900, 3600, 7200, 14_400, 21_600, 28_800, 43_200, 57_600, 86_400, 172_800,
    ])
    /// Seconds, from in time to a day too late.
    static let lateness = Self([0, 1, 10, 60, 300, 900, 3600, 14_400, 86_400])
}
