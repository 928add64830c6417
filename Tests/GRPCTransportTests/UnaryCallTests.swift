import Concurrency
import GRPCTransport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct UnaryCallTests {
    static let sizes = [0, 1, 100, 70_000, 3_000_000]

    @Test("A handler answers at once", arguments: sizes)
    func answersAtOnce(size: Int) async throws {
        try await withServer { server in
            server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        } _: { _, client in
            let request = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
            let response = try await client.unary("/test.Echo/Now", request, timeout: .seconds(30))
            #expect(response == request)
        }
    }

    @Test("A handler answers later, from a task")
    func answersLater() async throws {
        try await withServer { server in
            server.unary("/test.Echo/Later") { request, _ in
                let bytes = Array(copying: request)
                return .async { bytes.reversed() }
            }
        } _: { _, client in
            for round in 0..<200 {
                let request = [UInt8(round), 1, 2]
                let response = try await client.unary(
                    "/test.Echo/Later", request, timeout: .seconds(30))
                #expect(response == request.reversed())
            }
        }
    }

    @Test("Ten thousand calls are open at once, and each gets its own answer")
    func manyCallsAtOnce() async throws {
        let count = 10_000
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        var configuration = GRPCServer.Configuration()
        configuration.maxStreamsPerConnection = count
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Held") { request, _ in
                let bytes = Array(copying: request)
                return .async {
                    arrived.send()
                    await gate.waitIgnoringCancellation()
                    return bytes
                }
            }
        } _: { _, client in
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<count {
                    group.addTask {
                        let request = Array("call \(number)".utf8)
                        let response = try await client.unary(
                            "/test.Echo/Held", request, timeout: .seconds(100))
                        return response == request
                    }
                }
                await arrived.receive(count)
                gate.set()
                var right = 0
                for try await isRight in group where isRight { right += 1 }
                #expect(right == count)
            }
        }
    }

    @Test("A handler sees metadata, peer and deadline")
    func context() async throws {
        try await withServer { server in
            server.unary("/test.Context/Describe") { _, context in
                #expect(context.path == "/test.Context/Describe")
                #expect(context.peer.contains("127.0.0.1"))
                #expect(context.metadata("x-tenant") == "blue")
                #expect(context.metadata("x-absent") == nil)
                #expect(context.metadataBytes("x-trace-bin") == [0, 255, 7])
                let remaining = context.remaining
                #expect(remaining != nil && remaining! > .seconds(50) && remaining! < .seconds(61))
                #expect(context.deadline! > .now)
                return .reply([])
            }
            server.unary("/test.Context/Endless") { _, context in
                #expect(context.remaining == nil && context.deadline == nil)
                return .reply([])
            }
        } _: { _, client in
            var metadata: GRPCMetadata = ["X-Tenant": "blue"]
            metadata.append("x-trace-bin", [0, 255, 7])
            _ = try await client.unary(
                "/test.Context/Describe", [], timeout: .seconds(60), metadata: metadata)
            _ = try await client.unary("/test.Context/Endless", [], timeout: nil)
        }
    }

    @Test("The injected runner starts the asynchronous work")
    func injectedRunner() async throws {
        struct RecordingRunner: GRPCTaskRunner {
            let started: CountedSignal
            func start(
                _ operation: @escaping @concurrent @Sendable () async -> Void
            ) -> @Sendable () -> Void {
                started.send()
                return UnstructuredTaskRunner().start(operation)
            }
        }
        let started = CountedSignal()
        let server = GRPCServer(runner: RecordingRunner(started: started))
        server.unary("/test.Echo/Later") { _, _ in .async { [42] } }
        try server.start()
        let client = try await connectedClient(of: server)
        #expect(try await client.unary("/test.Echo/Later", [], timeout: .seconds(30)) == [42])
        await started.receive()
        await client.shutdown()
        await server.shutdown(grace: .seconds(20))
    }
}
