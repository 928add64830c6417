public import Concurrency
internal import GRPCTransport
public import Identity
public import Logging
public import Metrics
public import PipelineCore
internal import ReportMessages
internal import Synchronization

/// Serves `conversionreports.v1.ReportService` with health and reflection, on one address.
public final class ReportAPI: RequestService {
    /// What a served API needs besides its pipeline.
    public struct Configuration: Sendable {
        /// `host:port`.
        public var address: String
        /// Memory for finished reports.
        public var memoryBytes = 32 << 20
        /// How long misses are collected before the ledger is asked.
        public var window: Duration = .milliseconds(4)
        /// Whom it lets in: everybody where there is nothing.
        public var credentials = CredentialSources()
        public init(address: String) { self.address = address }

        /// Reads an address of a pipeline file with its properties.
        ///
        /// - Throws: ``PipelineError`` `invalid-resource` for what will not do.
        public init(_ address: ResourceAddress) throws(PipelineError) {
            self.init(address: address.rest)
            if let objection = GRPCServer.Configuration.objection(to: address.rest) {
                throw .fatal(.invalidResource, objection)
            }
            credentials = try CredentialSources(address)
        }
    }

    private let configuration: Configuration
    private let encoder: any OutcomeEncoder
    private let clock: PipelineClock
    private let random: RandomSource
    private let logger: Logger
    private let metrics: MetricRegistry
    private let attached = Mutex<(port: any RequestPort, reads: ReadPath)?>(nil)
    /// Set when the API listens; for those who started it.
    public let isListening = AsyncEvent()
    private let boundPort = Mutex(0)
    private let health = HealthService()
    private let server = Mutex<GRPCServer?>(nil)
    /// Whether its address is kept, which is asked at its end.
    private struct Keeping {
        /// How long calls may take then.
        var drain = Duration.zero
        var isWanted: @Sendable () -> Bool = { false }
    }
    private let keeping = Mutex(Keeping())
    /// What this service has from another one, and then what it leaves.
    private let held = Mutex<HeldServer?>(nil)

    public init(
        configuration: Configuration, encoder: any OutcomeEncoder, clock: PipelineClock,
        random: RandomSource, logger: Logger, metrics: MetricRegistry = MetricRegistry()
    ) {
        self.configuration = configuration
        self.encoder = encoder
        self.clock = clock
        self.random = random
        self.logger = logger
        self.metrics = metrics
    }

    /// The files that an address has it read.
    public static func files(of address: ResourceAddress) -> [ResourceFile] {
        (try? CredentialSources(address))?.files ?? []
    }

    private func accessControl() throws(PipelineError) -> AccessControl {
        try AccessControl(
            configuration.credentials, clock: clock,
            log: LibraryLog("report API", clock: clock, logger: logger))
    }

    /// The port that was bound; of use where `:0` was asked for.
    public var port: Int { boundPort.withLock { $0 } }

    public func attach(_ port: any RequestPort, reads: ReadPath) throws {
        try attached.withLock { attached in
            guard attached == nil else {
                throw PipelineError.fatal(
                    .ambiguousAPI,
                    "two inputs take requests from the API at \(configuration.address); give each an address of its own"
                )
            }
            attached = (port, reads)
        }
    }

    /// Listens until the task is cancelled, then lets calls in flight finish within the grace.
    public func run(grace: Duration) async throws {
        guard let (port, reads) = attached.withLock({ $0 }) else { return }
        let access = try accessControl()
        let answers = CaseAnswers(
            reads: reads, encoder: encoder, memoryBytes: configuration.memoryBytes,
            window: configuration.window, clock: clock, random: random,
            metrics: AnswerMetrics(metrics, address: configuration.address))
        let waiting = reads.cases.map { WaitingReaders(cases: $0, clock: clock) }
        metrics.setGauge(.waitingReaders, configuration.address) { [weak waiting] in
            waiting.map { Double($0.count) }
        }
        let methods = ReportMethods(
            port: port, answers: answers,
            list: reads.cases.map { CaseList(cases: $0, answers: answers) }, waiting: waiting,
            clock: clock, source: "grpc://\(configuration.address)", access: access)
        let server = GRPCServer(
            configuration: .init(address: configuration.address), metrics: metrics)
        health.set(.serving, for: ReportServiceMethods.serviceName)
        server.add(health)
        server.addReflection(of: ReportDescriptors.files)
        methods.add(to: server)
        do { try server.start(on: held.withLock { $0.take() }) } catch {
            throw PipelineError.cannotListen(error)
        }
        boundPort.withLock { $0 = server.port }
        self.server.withLock { $0 = server }
        var facts: Logger.Metadata = [
            "address": "\(configuration.address)", "port": "\(server.port)",
        ]
        if let known = access.summary { facts["credentials"] = "\(known)" }
        logger.notice("serving", metadata: facts)
        isListening.set()
        await serve(server, grace: grace) { group in
            group.addTask { try? await answers.run() }
            group.addTask { try? await waiting?.run() }
            group.addTask { try? await port.run() }
        }
    }

    /// Reads are answered until the last call has ended.
    private func serve(
        _ server: GRPCServer, grace: Duration,
        _ addHelpers: @escaping @Sendable (inout TaskGroup<Void>) -> Void
    ) async {
        let asked = AsyncEvent()
        await withTaskCancellationHandler {
            await withoutCancellation { [self] in
                await withTaskGroup(of: Void.self) { group in
                    addHelpers(&group)
                    try? await asked.wait()
                    let keeping = keeping.withLock { $0 }
                    if keeping.isWanted() {
                        let left = await server.hold(grace: min(keeping.drain, grace))
                        held.withLock { $0 = left }
                    } else {
                        health.setAllNotServing()
                        await server.shutdown(grace: grace)
                    }
                    group.cancelAll()
                }
            }
        } onCancel: {
            asked.set()
        }
    }

    public func keepAddress(drain: Duration, if isWanted: @escaping @Sendable () -> Bool) {
        keeping.withLock { $0 = Keeping(drain: drain, isWanted: isWanted) }
    }

    public func takeOver(from former: any RequestService) {
        guard let former = former as? ReportAPI,
            former.configuration.address == configuration.address
        else { return }
        let left = former.held.withLock { $0.take() }
        held.withLock { $0 = left }
    }

    public func setReady(_ isReady: Bool) {
        let status: HealthService.Status = isReady ? .serving : .notServing
        health.set(status, for: "")
        health.set(status, for: ReportServiceMethods.serviceName)
    }

    public var problem: String? {
        guard let server = server.withLock({ $0 }) else { return "does not listen yet" }
        return server.problem
    }

    public func probe() async throws {
        let server = GRPCServer(configuration: .init(address: configuration.address))
        do { try server.start() } catch { throw PipelineError.cannotListen(error) }
        await server.shutdown(grace: .zero)
    }

    /// Looks whether the address is free, without listening on it.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        do { try ListenProbe.check(configuration.address) } catch {
            let isBusy = error.code == .addressInUse
            throw PipelineError.fatal(
                .cannotListen,
                isBusy ? "\(error.message); stop it, or name another port" : error.message,
                cause: error)
        }
        let known = try accessControl().summary.map { "; callers need one of \($0)" }
        return [ResourceFinding(.ok, "the address is free\(known ?? "")")]
    }

    /// Lets the pipeline go, which knows the API: the two would keep each other for ever.
    public func close() async {
        attached.withLock { $0 = nil }
        server.withLock { $0 = nil }
    }
}
