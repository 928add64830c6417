internal import GRPCTransport
internal import PipelineCore
internal import Protobuf
internal import ReportMessages

/// One address at which batches can be generated.
protocol GeneratorEndpoint: Sendable {
    /// `host:port`, for messages.
    var address: String { get }
    /// Asks its health service.
    ///
    /// - Throws: The status with which that failed: there is nobody, or nobody who can say.
    func isServing(timeout: Duration) async throws(GRPCStatusError) -> Bool
    /// Calls `GenerateReports`; cancelling the task cancels the run.
    func generate(
        _ request: GenerateReportsRequest, timeout: Duration
    ) async throws(GRPCStatusError) -> GenerateReportsResponse
}

/// A generator behind a connection of its own.
struct GRPCGeneratorEndpoint: GeneratorEndpoint {
    let address: String
    private let client: GRPCClient

    /// - Throws: ``GRPCError`` if there is no thread to be had.
    init(_ address: String) throws(GRPCError) {
        self.address = address
        var configuration = GRPCClient.Configuration(target: address)
        configuration.maxMessageBytes = GenerationLimits.messageBytes
        // A run may take minutes without a sign of life: finds out about a host that is gone, or a
        // process that is stopped, long before the run's time-out.
        configuration.keepaliveTime = .seconds(20)
        configuration.keepaliveTimeout = .seconds(10)
        // A generator that has come back is used again soon.
        configuration.maxReconnectBackoff = .seconds(2)
        client = try GRPCClient(configuration: configuration)
    }

    func isServing(timeout: Duration) async throws(GRPCStatusError) -> Bool {
        let response = try await client.call(
            Grpc_Health_V1_HealthMethods.check,
            .with { $0.service = ReportGeneratorServiceMethods.serviceName }, timeout: timeout)
        return response.status == .serving
    }

    func generate(
        _ request: GenerateReportsRequest, timeout: Duration
    ) async throws(GRPCStatusError) -> GenerateReportsResponse {
        try await client.call(
            ReportGeneratorServiceMethods.generateReports, request, timeout: timeout)
    }
}

/// Why one endpoint did not answer a batch, and what may be done about it.
struct EndpointFailure: Error {
    enum Remedy: Sendable {
        /// Another endpoint may answer, or this one later.
        case elsewhere
        /// The server stumbled: perhaps over this batch. Tried elsewhere, and split when it keeps
        /// happening.
        case elsewhereForNow
        /// No generator will ever answer this batch as it is.
        case none
    }
    var remedy: Remedy
    var code: ErrorCode
    /// Says which endpoint, and what it said.
    var message: String

    init(_ status: GRPCStatusError, at address: String) {
        let said = status.message.isEmpty ? status.code.name : status.message
        switch status.code {
        case .invalidArgument, .outOfRange:
            remedy = .none
            code = status.pipelineCode ?? .generatorRefused
            message = said
        case .internal, .unknown, .dataLoss:
            remedy = .elsewhereForNow
            code = status.pipelineCode ?? .generatorBroken
            message = "\(address): \(status)"
        case .unimplemented, .notFound, .permissionDenied, .unauthenticated:
            remedy = .elsewhere
            code = .generatorMisplaced
            message = "\(address) is no generator: \(status)"
        case .deadlineExceeded:
            remedy = .elsewhere
            code = .generationTimeout
            message = "\(address): \(status)"
        default:
            remedy = .elsewhere
            code = status.pipelineCode ?? .generatorUnavailable
            message = "\(address): \(status)"
        }
    }

    init(_ mismatch: MismatchedResponse, at address: String) {
        remedy = .elsewhere
        code = .generatorMismatch
        message = "\(address) sent an answer that does not match the batch: \(mismatch)"
    }

    private init(_ remedy: Remedy, code: ErrorCode, _ message: String) {
        self.remedy = remedy
        self.code = code
        self.message = message
    }

    static func notServing(_ address: String) -> EndpointFailure {
        EndpointFailure(
            .elsewhere, code: .generatorUnavailable, "\(address) says that it is not serving")
    }
}

/// Whose turn it is: round robin, with those that failed just now behind the others.
///
/// Pure: told of time and outcomes, asked for an order.
struct EndpointRotation: Sendable {
    /// How long an endpoint that has failed stands behind the others.
    static let rest: Duration = .seconds(5)

    private var next = 0
    /// Until when each is given a rest.
    private var restingUntil: [Instant?]

    init(count: Int) { restingUntil = Array(repeating: nil, count: count) }

    /// All endpoints, in the order in which the next batch tries them.
    ///
    /// Resting ones are in it, too: when all have failed, somebody has to be tried.
    mutating func order(at now: Instant) -> [Int] {
        let count = restingUntil.count
        var ready: [Int] = []
        var resting: [Int] = []
        for offset in 0..<count {
            let index = (next + offset) % count
            if let until = restingUntil[index], until > now {
                resting.append(index)
            } else {
                ready.append(index)
            }
        }
        let order = ready + resting
        next = (order[0] + 1) % count
        return order
    }

    mutating func failed(_ index: Int, at now: Instant) {
        restingUntil[index] = now.advanced(by: Self.rest)
    }

    mutating func answered(_ index: Int) { restingUntil[index] = nil }
}
