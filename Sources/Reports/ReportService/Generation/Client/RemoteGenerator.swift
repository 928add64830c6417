internal import GRPCTransport
internal import Logging
public import PipelineCore
internal import ReportMessages
internal import Synchronization

/// The generator `grpc://host:port[,host:port…]`: has batches answered by other processes, which
/// speak `conversionreports.v1.ReportGeneratorService`.
///
/// A batch is one call, so that all its reports come from one snapshot. Batches go to the addresses
/// in turn; each is asked for its health first, and those that just failed come last. A call that
/// fails for a reason that lies with the server is made again elsewhere, in a few rounds with
/// growing pauses, all within the stage's `timeout`, which is also the call's deadline. Reports
/// come back as the generator in this process would have encoded them.
///
/// - What a generator says of a case is that case's failure.
/// - INVALID_ARGUMENT and OUT_OF_RANGE are permanent: the runtime splits the batch.
/// - INTERNAL, UNKNOWN and DATA_LOSS are retryable; a batch that meets them again and again, claim
///   after claim, is split.
/// - Everything else is retryable, an answer that does not match the batch included.
public final class RemoteGenerator: Generator {
    /// How often each address is tried before the batch is given back.
    static let rounds = 4
    /// The first pause between two rounds; each is twice the one before, less up to half of it.
    private static let firstPause: Duration = .milliseconds(250)
    /// How long an address may take to say how it is.
    private static let healthTimeout: Duration = .seconds(5)
    /// Claims of a batch after which a server's stumbling is taken for the batch's fault.
    private static let patience = 8

    private let endpoints: [any GeneratorEndpoint]
    private let rotation: Mutex<EndpointRotation>
    private let timeout: Duration
    private let clock: PipelineClock
    private let random: RandomSource
    /// By the endpoints' places.
    private let outages: [Outage]

    /// Connects when the first batch comes.
    ///
    /// - Parameter timeout: How long a batch may take, all tries together.
    /// - Throws: ``PipelineError`` `no-thread`, retryable, when there are no threads to be had.
    public convenience init(
        _ addresses: GeneratorAddresses, timeout: Duration, clock: PipelineClock,
        random: RandomSource, outages: Outages
    ) throws {
        let endpoints: [any GeneratorEndpoint]
        do { endpoints = try addresses.targets.map(GRPCGeneratorEndpoint.init) } catch {
            throw PipelineError.retryable(.noThread, "\(error)", cause: error)
        }
        self.init(
            endpoints: endpoints, timeout: timeout, clock: clock, random: random, outages: outages)
    }

    init(
        endpoints: [any GeneratorEndpoint], timeout: Duration, clock: PipelineClock,
        random: RandomSource, outages: Outages
    ) {
        precondition(!endpoints.isEmpty, "a generator has an address")
        self.endpoints = endpoints
        rotation = Mutex(EndpointRotation(count: endpoints.count))
        self.timeout = timeout
        self.clock = clock
        self.random = random
        self.outages = endpoints.map { endpoint in
            Outage(
                endpoint.address, "a generator does not answer; batches go elsewhere",
                among: outages)
        }
    }

    public func generate(_ batch: Batch) async throws -> GeneratedBatch {
        let wanted = WantedReports(batch)
        if let answer = wanted.answer(at: clock.timestamp) { return answer }
        let deadline = clock.now.advanced(by: timeout)
        var failures: [EndpointFailure] = []
        for round in 1...Self.rounds {
            if round > 1 { try await pause(before: round, until: deadline) }
            failures = []
            for index in rotation.withLock({ $0.order(at: clock.now) }) {
                do {
                    return try await answer(wanted, by: index, before: deadline)
                } catch let failure as EndpointFailure {
                    if failure.remedy == .none {
                        throw PipelineError.permanent(failure.code, failure.message)
                    }
                    failures.append(failure)
                    failed(index, failure, metadata: ["batch": "\(batch.number)"])
                }
                if clock.now >= deadline { throw timeIsUp(failures) }
            }
        }
        throw giveUp(batch, failures)
    }

    /// - Throws: ``EndpointFailure``, `CancellationError`.
    private func answer(
        _ wanted: WantedReports, by index: Int, before deadline: Instant
    ) async throws -> GeneratedBatch {
        let endpoint = endpoints[index]
        do {
            try await requireServing(endpoint, before: deadline)
            let response = try await endpoint.generate(
                wanted.request, timeout: clock.now.duration(to: deadline))
            let answer = try wanted.answer(from: response)
            rotation.withLock { $0.answered(index) }
            outages[index].succeeded()
            return answer
        } catch {
            // Cancelling the task is what ended the call, then.
            try Task.checkCancellation()
            rotation.withLock { $0.failed(index, at: clock.now) }
            switch error {
            case let status as GRPCStatusError:
                throw EndpointFailure(status, at: endpoint.address)
            case let mismatch as MismatchedResponse:
                throw EndpointFailure(mismatch, at: endpoint.address)
            default: throw error
            }
        }
    }

    /// A server without a health service is taken at its word.
    private func requireServing(
        _ endpoint: any GeneratorEndpoint, before deadline: Instant
    ) async throws {
        let limit = min(Self.healthTimeout, clock.now.duration(to: deadline))
        let isServing: Bool
        do { isServing = try await endpoint.isServing(timeout: limit) } catch {
            guard error.code == .unimplemented || error.code == .notFound else { throw error }
            isServing = true
        }
        if isServing { return }
        throw EndpointFailure.notServing(endpoint.address)
    }

    /// Asks all addresses for their health, side by side: one that serves will do.
    ///
    /// - Throws: ``PipelineError`` `generator-unavailable`, retryable, with what each said.
    public func probe() async throws {
        let deadline = clock.now.advanced(by: Self.healthTimeout)
        let said = await withTaskGroup(of: (Int, EndpointFailure?).self) { group in
            for (index, endpoint) in endpoints.enumerated() {
                group.addTask { [self] in
                    (index, await failure(of: endpoint, before: deadline))
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        for index in endpoints.indices {
            if let failure = said[index] {
                failed(index, failure)
            } else {
                outages[index].succeeded()
            }
        }
        let failures = endpoints.indices.compactMap { said[$0] }
        if failures.count < endpoints.count { return }
        throw PipelineError.retryable(.generatorUnavailable, Self.text(failures))
    }

    public var backends: [Backend] { endpoints.map(Self.backend) }

    private static func backend(_ endpoint: any GeneratorEndpoint) -> Backend {
        Backend(.generator, "generator \(endpoint.address)")
    }

    private func failure(
        of endpoint: any GeneratorEndpoint, before deadline: Instant
    ) async -> EndpointFailure? {
        do {
            try await requireServing(endpoint, before: deadline)
            return nil
        } catch let failure as EndpointFailure {
            return failure
        } catch let status as GRPCStatusError {
            return EndpointFailure(status, at: endpoint.address)
        } catch {
            return .notServing(endpoint.address)
        }
    }

    private func pause(before round: Int, until deadline: Instant) async throws {
        let longest = Self.firstPause * (1 << (round - 2))
        let end = clock.now.advanced(by: longest * (0.5 + 0.5 * random.unit()))
        try await clock.sleep(until: min(end, deadline))
    }

    // MARK: Failing

    private func failed(
        _ index: Int, _ failure: EndpointFailure,
        metadata: @autoclosure () -> Logger.Metadata = [:]
    ) {
        outages[index].failed(
            PipelineError.retryable(failure.code, failure.message)
                .of(Self.backend(endpoints[index])),
            metadata: metadata())
    }

    private func timeIsUp(_ failures: [EndpointFailure]) -> PipelineError {
        .retryable(
            .generationTimeout,
            "no generator answered within \(timeout): \(Self.text(failures))")
    }

    private func giveUp(_ batch: Batch, _ failures: [EndpointFailure]) -> PipelineError {
        let text = Self.text(failures)
        if let fault = failures.first(where: { $0.remedy == .elsewhereForNow }),
            batch.attempts > Self.patience
        {
            return .permanent(
                fault.code, "generators failed \(batch.attempts) claims of the batch: \(text)")
        }
        return .retryable(failures.last?.code ?? .generatorUnavailable, text)
    }

    private static func text(_ failures: [EndpointFailure]) -> String {
        failures.map(\.message).joined(separator: "; ")
    }
}

extension RemoteGenerator {
    /// Asks each address for its health, side by side; has nothing generated.
    ///
    /// - Parameter timeout: how long each may take.
    public static func inspect(
        _ addresses: GeneratorAddresses, timeout: Duration
    ) async -> [ResourceFinding] {
        await withTaskGroup(of: (Int, ResourceFinding).self) { group in
            for (index, target) in addresses.targets.enumerated() {
                group.addTask { (index, await finding(on: target, timeout)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
                .sorted { $0.key < $1.key }.map(\.value)
        }
    }

    private static func finding(on target: String, _ timeout: Duration) async -> ResourceFinding {
        let subject = "generator \(target)"
        let endpoint: GRPCGeneratorEndpoint
        do throws(GRPCError) { endpoint = try GRPCGeneratorEndpoint(target) } catch {
            return ResourceFinding(subject, .unknown, error.message)
        }
        do throws(GRPCStatusError) {
            return try await endpoint.isServing(timeout: timeout)
                ? ResourceFinding(subject, .ok, "is serving")
                : ResourceFinding(subject, .wrong, "says that it is not serving")
        } catch {
            switch error.code {
            case .unimplemented:
                return ResourceFinding(subject, .ok, "answers, and has no health service to ask")
            case .notFound:
                return ResourceFinding(
                    subject, .wrong, "answers, and is no generator",
                    hint: "`penstock generate` serves one")
            default:
                let said = error.message.isEmpty ? error.code.name : error.message
                return ResourceFinding(subject, .unreachable, "can't be reached: \(said)")
            }
        }
    }
}
