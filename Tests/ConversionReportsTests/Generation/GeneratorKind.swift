import Concurrency
import ConversionReports
import Logging
import PipelineCore
import PipelineTesting
import ReportService
import Testing

/// Where reports are generated: what holds in the process must hold for a service.
enum GeneratorKind: String, CaseIterable, CustomTestStringConvertible {
    case inProcess, remote

    var testDescription: String { rawValue }

    /// Runs `body` with the generator; a remote one has a server of its own on loopback.
    func withGenerator(
        over local: any Generator, _ body: (any Generator) async throws -> Void
    ) async throws {
        switch self {
        case .inProcess: try await body(local)
        case .remote:
            try await Self.withServer(of: local) { server in
                let addresses = try GeneratorAddresses("grpc://127.0.0.1:\(server.port)")
                try await body(
                    RemoteGenerator(
                        addresses, timeout: .seconds(120), clock: PipelineClock(JumpingTime()),
                        random: RandomSource(seed: 1), logger: LogCapture().logger()))
            }
        }
    }

    static func withServer(
        of generator: any Generator, _ body: (ReportGeneratorServer) async throws -> Void
    ) async throws {
        let server = ReportGeneratorServer(
            configuration: .init(address: "127.0.0.1:0"), generator: generator, clock: .system,
            logger: LogCapture().logger())
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            try await server.isListening.wait()
            try await body(server)
            group.cancelAll()
            try await group.waitForAll()
        }
    }
}
