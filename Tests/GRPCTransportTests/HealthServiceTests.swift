import GRPCTransport
import Protobuf
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HealthServiceTests {
    typealias Request = Grpc_Health_V1_HealthCheckRequest
    typealias Methods = Grpc_Health_V1_HealthMethods

    private func status(
        of service: String, _ client: GRPCClient
    ) async throws(GRPCStatusError) -> Grpc_Health_V1_HealthCheckResponse.ServingStatus {
        try await client.call(
            Methods.check, .with { $0.service = service }, timeout: .seconds(30)
        ).status
    }

    @Test("A check tells how a service is, and which are unknown")
    func check() async throws {
        let health = HealthService(["": .serving, "test.Down": .notServing])
        try await withServer {
            $0.add(health)
        } _: { _, client in
            let whole = try await status(of: "", client)
            #expect(whole == .serving)
            #expect(try await status(of: "test.Down", client) == .notServing)
            let unknown = await failure { () throws(GRPCStatusError) in
                try await status(of: "test.Nobody", client)
            }
            #expect(unknown == GRPCStatusError(.notFound, "there is no service test.Nobody"))
            health.setAllNotServing()
            #expect(try await status(of: "", client) == .notServing)
        }
    }

    @Test("A watch tells the status at once and after every change, of its service only")
    func watch() async throws {
        let health = HealthService()
        try await withServer {
            $0.add(health)
        } _: { _, client in
            let watch = try client.stream(Methods.watch, timeout: .seconds(30))
            try await watch.send(.with { $0.service = "test.Late" })
            try await watch.finishSending()
            #expect(try await watch.receive()?.status == .serviceUnknown)
            health.set(.notServing, for: "")
            health.set(.serving, for: "test.Late")
            #expect(try await watch.receive()?.status == .serving)
            health.set(.serving, for: "test.Late")
            health.set(.notServing, for: "test.Late")
            #expect(try await watch.receive()?.status == .notServing)
            health.set(nil, for: "test.Late")
            #expect(try await watch.receive()?.status == .serviceUnknown)
        }
    }

    @Test("A shutdown does not wait for those who watch")
    func shutdownEndsWatches() async throws {
        let server = GRPCServer()
        server.add(HealthService())
        try server.start()
        let client = try await connectedClient(of: server)
        let watch = try client.stream(Methods.watch, timeout: nil)
        try await watch.send(Request())
        #expect(try await watch.receive()?.status == .serving)
        await server.shutdown(grace: .seconds(3_600))
        let status = await failure { () throws(GRPCStatusError) in try await watch.receive() }
        #expect(status?.code == .unavailable)
        await client.shutdown()
    }
}
