internal import GRPCTransport
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
