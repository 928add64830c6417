internal import CommandLineInterface
internal import ConfigurationFields
internal import GRPCTransport
internal import Protobuf

struct HealthOptions: Settings {
    static let summary = "Asks a server whether it serves; for health checks of containers."
    let server: String
    let service: String
    let timeout: Duration

    init(_ field: Fields) {
        server = field(
            "server", "The server, or the address of an admin endpoint: http://host:port/readyz.",
            default: "127.0.0.1:50051")
        service = field(
            "service", "A service, or all.", default: "",
            example: "conversionreports.v1.ReportService")
        timeout = field("timeout", "How long to wait.", default: .seconds(2))
    }
}

extension PenstockCommand {
    static var health: Command {
        Command(
            "health", HealthOptions.self,
            details:
                "Exits with 0 when it serves, 1 when it says that it does not, 69 when it can't be reached.",
            examples: [
                .init("--server 127.0.0.1:50051", "One line, and the exit code."),
                .init(
                    "--server http://127.0.0.1:9464/readyz", "A worker, by its admin endpoint."),
            ]
        ) { options, console in
            if options.server.hasPrefix("http://") {
                guard options.service.isEmpty else {
                    throw CommandFailure(
                        .usage, "--service has no effect beside an admin endpoint: that has none")
                }
                let status = try AdminProbe(options.server).status(timeout: options.timeout)
                console.out(status == 200 ? "ready\n" : "not ready: \(status)\n")
                return status == 200 ? .success : .failure
            }
            let target = try ServerTarget.of(options.server)
            do {
                let client = try GRPCClient(target: target)
                let response = try await client.call(
                    Grpc_Health_V1_HealthMethods.check,
                    Grpc_Health_V1_HealthCheckRequest.with { $0.service = options.service },
                    timeout: options.timeout)
                let isServing = response.status == .serving
                console.out(isServing ? "serving\n" : "not serving\n")
                return isServing ? .success : .failure
            } catch {
                throw CommandFailure(.unavailable, "\(options.server): \(error)")
            }
        }
    }
}
