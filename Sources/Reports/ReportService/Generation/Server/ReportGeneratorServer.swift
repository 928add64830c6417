public import Concurrency
internal import GRPCTransport
public import Logging
public import Metrics
public import PipelineCore
internal import ReportMessages
internal import Synchronization

/// A generator as a service of its own: `conversionreports.v1.ReportGeneratorService` with health
/// and reflection, on one address.
///
/// A call carries a batch and brings back an outcome for each case, in order. What is wrong with
/// one definition is that case's error; what is wrong with the call (no definitions, too many, a
/// case twice) is INVALID_ARGUMENT with every violation. A call whose deadline passes or whose
/// caller goes away has its run cancelled. Nothing is written, so a call may be repeated anywhere.
public final class ReportGeneratorServer: Sendable {
    /// Where it listens, and its limits.
    public struct Configuration: Sendable {
        /// `host:port`; port 0 picks a free one.
        public var address: String
        /// Runs at once, over all callers; more are refused with RESOURCE_EXHAUSTED.
        public var maxRuns = 256
        /// How long calls in flight may take after a stop.
        public var grace: Duration = .seconds(30)
        public init(address: String) { self.address = address }
    }

    private let configuration: Configuration
    private let methods: GeneratorMethods
    private let logger: Logger
    private let metrics: MetricRegistry
    /// Set when the service listens.
    public let isListening = AsyncEvent()
    private let boundPort = Mutex(0)
    private let health = HealthService()
    private let server = Mutex<GRPCServer?>(nil)

    /// - Parameters:
    ///   - generator: answers the batches, whose cases hold canonical `ReportRequest`s.
    ///   - metrics: takes the times of calls and the number of connections.
    ///   - observe: is told of every run.
    public init(
        configuration: Configuration, generator: any Generator, clock: PipelineClock,
        logger: Logger, metrics: MetricRegistry = MetricRegistry(),
        observe: @escaping @Sendable (ServedRun) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.metrics = metrics
        methods = GeneratorMethods(
            generator: generator, clock: clock, logger: logger, observe: observe)
    }

    /// The port that was bound; of use where `:0` was asked for.
    public var port: Int { boundPort.withLock { $0 } }

    /// Why new callers can't come in, or not all; `nil` while all is well.
    public var problem: String? {
        guard let server = server.withLock({ $0 }) else { return "does not listen yet" }
        return server.problem
    }

    /// Says whether what the generator reads is there, for those who ask before they send a batch.
    public func setReady(_ isReady: Bool) {
        let status: HealthService.Status = isReady ? .serving : .notServing
        health.set(status, for: "")
        health.set(status, for: ReportGeneratorServiceMethods.serviceName)
    }

    /// Listens until the task is cancelled; then says that it does not serve, takes no more calls,
    /// and lets those in flight finish.
    ///
    /// - Throws: ``PipelineError`` `address-in-use`, `cannot-listen`.
    public func run() async throws {
        var settings = GRPCServer.Configuration(address: configuration.address)
        settings.maxMessageBytes = GenerationLimits.messageBytes
        settings.maxConcurrentCalls = configuration.maxRuns
        let server = GRPCServer(configuration: settings, metrics: metrics)
        health.set(.serving, for: ReportGeneratorServiceMethods.serviceName)
        methods.add(to: server)
        server.add(health)
        server.addReflection(of: ReportDescriptors.files)
        do { try server.start() } catch { throw PipelineError.cannotListen(error) }
        boundPort.withLock { $0 = server.port }
        self.server.withLock { $0 = server }
        logger.notice(
            "serving", metadata: ["address": "\(configuration.address)", "port": "\(server.port)"])
        isListening.set()
        let stop = AsyncEvent()
        await withTaskCancellationHandler {
            await withoutCancellation { [health, grace = configuration.grace] in
                try? await stop.wait()
                health.setAllNotServing()
                await server.shutdown(grace: grace)
            }
        } onCancel: {
            stop.set()
        }
    }
}

/// The handler of `conversionreports.v1.ReportGeneratorService`.
struct GeneratorMethods: Sendable {
    let generator: any Generator
    let clock: PipelineClock
    let logger: Logger
    let observe: @Sendable (ServedRun) -> Void

    func add(to server: GRPCServer) {
        server.unary(ReportGeneratorServiceMethods.generateReports) {
            request, context throws(GRPCStatusError) -> UnaryAnswer<GenerateReportsResponse> in
            let call = try GenerationCall(request, now: clock.timestamp)
            let peer = context.peer
            // Its task is cancelled when the caller goes away and when the call's deadline passes.
            return .async { () throws(GRPCStatusError) in try await answer(call, peer) }
        }
    }

    private func answer(
        _ call: GenerationCall, _ peer: String
    ) async throws(GRPCStatusError) -> GenerateReportsResponse {
        var logger = logger
        logger[metadataKey: "batch"] = "\(call.batchID)"
        logger[metadataKey: "cases"] = "\(call.batch.cases.count)"
        logger[metadataKey: "peer"] = "\(peer)"
        logger.info("generating")
        let start = clock.now
        do {
            let generated = try await generator.generate(call.batch)
            let response = try call.response(generated)
            let took = start.duration(to: clock.now)
            let failures = response.outcomes.count(where: \.isError)
            observe(
                .generated(
                    cases: response.outcomes.count, failures: failures,
                    rowsRead: generated.rowsRead, took: took))
            logger.info(
                "batch generated",
                metadata: ["failures": "\(failures)", "seconds": "\(took.inSeconds)"])
            return response
        } catch {
            let took = start.duration(to: clock.now)
            observe(.failed(took: took))
            logger.warning(
                error is CancellationError
                    ? "run cancelled: its caller is gone or its deadline has passed" : "run failed",
                metadata: ["error": "\(error)", "seconds": "\(took.inSeconds)"])
            throw GRPCStatusError(ofRun: error)
        }
    }
}

extension ReportOutcome {
    fileprivate var isError: Bool { if case .error? = result { true } else { false } }
}

/// One call of `GenerateReports` as its server saw it, for metrics.
public enum ServedRun: Sendable {
    /// Every case has an outcome; `failures` of them are errors.
    case generated(cases: Int, failures: Int, rowsRead: Int64?, took: Duration)
    /// The call ended with another status than OK.
    case failed(took: Duration)
}
