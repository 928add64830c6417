import GRPCTransport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test("An address in use is said to be in use")
    func addressInUse() async throws {
        try await withServer { _ in
        } _: { first, _ in
            let address = "127.0.0.1:\(first.port)"
            let second = GRPCServer(configuration: .init(address: address))
            let error = #expect(throws: GRPCError.self) { try second.start() }
            #expect(error?.code == .addressInUse)
            #expect(error?.message == "cannot listen on \(address): Address already in use")
        }
    }

    @Test(
        "An address that cannot be listened on is explained",
        arguments: [
            ("localhost", GRPCError.Code.invalidAddress),
            ("127.0.0.1:99999", .invalidAddress),
            ("no.such.host.invalid:0", .invalidAddress),
            ("192.0.2.1:0", .addressRefused),
        ])
    func wrongAddress(address: String, code: GRPCError.Code) throws {
        let server = GRPCServer(configuration: .init(address: address))
        let error = #expect(throws: GRPCError.self) { try server.start() }
        #expect(error?.code == code)
        #expect(error?.message.contains(address) == true)
    }

    @Test("Without a server a call fails at once, or waits for one if asked to")
    func waitForReady() async throws {
        let first = GRPCServer()
        try first.start()
        let address = "127.0.0.1:\(first.port)"
        await first.shutdown(grace: .seconds(20))

        var configuration = GRPCClient.Configuration(target: address)
        configuration.maxReconnectBackoff = .milliseconds(100)
        let client = try GRPCClient(configuration: configuration)
        let status = await failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Echo/Now", [], timeout: .seconds(30))
        }
        #expect(status?.code == .unavailable)

        async let response = client.unary(
            "/test.Echo/Now", [5], timeout: .seconds(50), waitForReady: true)
        let second = GRPCServer(configuration: .init(address: address))
        second.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        try second.start()
        #expect(try await response == [5])
        await client.shutdown()
        await second.shutdown(grace: .seconds(20))
    }

    @Test("A Unix socket serves as well")
    func unixSocket() async throws {
        let path = "/tmp/penstock-grpc-test-\(UInt64.random(in: 0..<(.max))).sock"
        let server = GRPCServer(configuration: .init(address: "unix:\(path)"))
        server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        try server.start()
        let client = try GRPCClient(target: "unix:\(path)")
        let response = try await client.unary(
            "/test.Echo/Now", [5], timeout: .seconds(30), waitForReady: true)
        #expect(response == [5])
        await client.shutdown()
        await server.shutdown(grace: .seconds(20))
    }
}
