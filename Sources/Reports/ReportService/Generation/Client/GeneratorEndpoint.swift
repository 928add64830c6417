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
    static let pause: Duration = .seconds(5)

    private var next = 0
    /// Until when each is paused.
    private var pausedUntil: [Instant?]

    init(count: Int) { pausedUntil = Array(repeating: nil, count: count) }

    /// All endpoints, in the order in which the next batch tries them.
    ///
    /// Paused ones are in it, too: when all have failed, somebody has to be tried.
    mutating func order(at now: Instant) -> [Int] {
        let count = pausedUntil.count
        var ready: [Int] = []
        var paused: [Int] = []
        for offset in 0..<count {
            let index = (next + offset) % count
            if let until = pausedUntil[index], until > now {
                paused.append(index)
            } else {
                ready.append(index)
            }
        }
        let order = ready + paused
        next = (order[0] + 1) % count
        return order
    }

    mutating func failed(_ index: Int, at now: Instant) {
        pausedUntil[index] = now.advanced(by: Self.pause)
    }

    mutating func answered(_ index: Int) { pausedUntil[index] = nil }
}

/// The generators that `"generator": "grpc://host:port[,host:port…]"` names.
public struct GeneratorAddresses: Sendable, Hashable {
    /// The scheme, which is also the generator's name in catalogues.
    public static let scheme = "grpc"
    /// What to show people.
    public static let form = "grpc://host:port[,host:port…]"
    /// Most addresses of one generator; each has a connection of its own.
    private static let limit = 64

    /// `host:port` or `[IPv6]:port` each; at least one, none twice.
    public let targets: [String]

    /// - Throws: ``PipelineError`` `fatal` `invalid-generator`, saying which part is wrong.
    public init(_ text: String) throws {
        let prefix = Self.scheme + "://"
        guard text.hasPrefix(prefix) else {
            throw Self.refusal("\"\(text)\" names no address")
        }
        var targets: [String] = []
        for part in text.dropFirst(prefix.count).split(
            separator: ",", omittingEmptySubsequences: false)
        {
            if let problem = Self.problem(with: part) { throw Self.refusal(problem) }
            if targets.contains(String(part)) {
                throw Self.refusal("\"\(part)\" is named twice")
            }
            targets.append(String(part))
        }
        if targets.count > Self.limit {
            throw Self.refusal("\(targets.count) addresses are named; \(Self.limit) are allowed")
        }
        self.targets = targets
    }

    /// What is wrong with an address, for `validate`; `nil` if nothing is.
    @Sendable public static func objection(to text: String) -> String? {
        do {
            _ = try GeneratorAddresses(text)
            return nil
        } catch {
            return (error as? PipelineError)?.message ?? "\(error)"
        }
    }

    private static func refusal(_ what: String) -> PipelineError {
        .fatal(.invalidGenerator, "\(what): the form is \(form)")
    }

    private static func problem(with part: Substring) -> String? {
        if part.contains("@") { return "an address has no user and no password" }
        if part.isEmpty { return "an address is empty" }
        guard let colon = part.lastIndex(of: ":") else { return "\"\(part)\" has no port" }
        let host = part[..<colon]
        let port = part[part.index(after: colon)...]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        if host.contains(":") && !isBracketed {
            return "\"\(part)\" needs brackets around its IPv6 address"
        }
        let name = isBracketed ? host.dropFirst().dropLast() : host
        guard !name.isEmpty, name.utf8.allSatisfy({ Self.isAllowed($0, inBrackets: isBracketed) })
        else { return "\"\(part)\" has no valid host" }
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port),
            number > 0
        else { return "\"\(part)\" has no port from 1 to 65535" }
        return nil
    }

    private static func isAllowed(_ byte: UInt8, inBrackets: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "_"): !inBrackets
        case UInt8(ascii: ":"), UInt8(ascii: "%"): inBrackets
        default: false
        }
    }
}
