import GRPCTransport
import PipelineCore
import ReportService
import Testing

@Suite("Looking at generators elsewhere", .timeLimit(.minutes(1)))
struct GeneratorInspectionTests {
    @Test("tells of each address whether somebody serves there")
    func serving() async throws {
        try await ServedGenerator.with(GatedGenerator()) { _, address in
            let found = await RemoteGenerator.inspect(
                try GeneratorAddresses("grpc://\(address),127.0.0.1:1"), timeout: .seconds(5))
            #expect(found[0] == ResourceFinding("generator \(address)", .ok, "is serving"))
            #expect(found[1].verdict == .unreachable)
            #expect(found[1].subject == "generator 127.0.0.1:1")
        }
    }

    @Test("finds a server that is something else no generator")
    func another() async throws {
        let server = GRPCServer(configuration: .init(address: "127.0.0.1:0"))
        server.add(HealthService())
        try server.start()
        let found = await RemoteGenerator.inspect(
            try GeneratorAddresses("grpc://127.0.0.1:\(server.port)"), timeout: .seconds(5))
        #expect(found.map(\.verdict) == [.wrong])
        #expect(found[0].hint?.contains("penstock generate") == true)
        await server.shutdown(grace: .zero)
    }
}
