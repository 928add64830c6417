import GRPCTransport
import Testing

@Suite struct UnaryCallTests {
    @Test func answersAtOnceAndLater() async throws {
        let server = GRPCServer()
        server.unary("/test.Echo/Now") { request, _ in
            .reply(Array(copying: request))
        }
        server.unary("/test.Echo/Later") { request, _ in
            let bytes = Array(copying: request)
            return .async { bytes.reversed() }
        }
        try server.start()
        let client = try GRPCClient(target: "127.0.0.1:\(server.port)")
        #expect(
            try await client.unary("/test.Echo/Now", [1, 2, 3], timeout: .seconds(10)) == [1, 2, 3])
        #expect(
            try await client.unary("/test.Echo/Later", [1, 2, 3], timeout: .seconds(10)) == [
                3, 2, 1,
            ])
        await client.shutdown()
        await server.shutdown(grace: .seconds(1))
    }
}
