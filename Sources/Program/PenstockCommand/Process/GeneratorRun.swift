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
        var resources = OpenResources(
            catalogue: catalogue,
            context: ResourceContext(
                clock: clock, random: RandomSource(), logger: logger, isRunning: false))
        let address = try StandardStoreAddress.of(options.store)
        let store = try resources.openStore(address)
        guard store.isThere else {
            throw CommandFailure(
                .unavailable,
                "\(address) is not there: --store or PENSTOCK_STORE must name the store with the events"
            )
        }
        if store.migratesItself { try await store.migrate() }
        let registry = MetricRegistry()
        let metrics = GeneratorMetrics(registry: registry)
        var settings = ReportGeneratorServer.Configuration(
            address: String(options.listen.dropFirst("grpc://".count)))
        settings.grace = options.service.grace
        let server = ReportGeneratorServer(
            configuration: settings, generator: ConversionGenerator(store: store.reports),
            clock: clock, logger: logger, observe: metrics.observe)
        let monitor = ReadinessMonitor(
            resources: resources.named, generator: server, stop: stop.event, clock: clock)
        let admin = try AdminServer(
            options.service.admin, registry: registry, monitor: monitor)
        logger.notice(
            "running",
            metadata: ["store": "\(address)", "version": "\(PenstockCommand.version)"])
        try await OpenResources.refuseMistakes(in: [store], until: stop.event)
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
            // The stop ends the monitor and with it the server, and a server that can't listen ends the monitor.
            try await group.next()
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}

/// Counts what a served generator does, for Prometheus.
struct GeneratorMetrics: Sendable {
    let registry: MetricRegistry

    func observe(_ run: ServedRun) {
        switch run {
        case .generated(let cases, let failures, let rowsRead, let took):
            count("penstock_generator_batches_total", "Batches generated.", by: 1)
            count("penstock_generator_cases_total", "Cases answered, errors included.", by: cases)
            count(
                "penstock_generator_case_errors_total", "Cases answered by an error.", by: failures)
            if let rowsRead {
                count(
                    "penstock_generator_rows_total", "Rows read from the store.", by: Int(rowsRead))
            }
            time(took, outcome: "generated")
        case .failed(let took):
            count("penstock_generator_failed_runs_total", "Runs that failed.", by: 1)
            time(took, outcome: "failed")
        }
    }

    private func count(_ name: String, _ help: String, by amount: Int) {
        registry.makeCounter(name: name, help: help).increment(by: amount)
    }

    private func time(_ took: Duration, outcome: String) {
        registry.makeHistogram(
            name: "penstock_generator_run_seconds", labels: [("outcome", outcome)],
            help: "Time of a run."
        ).observe(took)
    }
}
