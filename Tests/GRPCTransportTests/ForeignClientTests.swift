import Concurrency
import GRPCTransport
import Glibc
import Testing

@Suite(.timeLimit(.minutes(2)))
struct ForeignClientTests {
    @Test("Python's gRPC gets on with the server")
    func python() async throws {
        let python = try #require(
            unsafe getenv("PENSTOCK_TEST_PYTHON").map { unsafe String(cString: $0) },
            "PENSTOCK_TEST_PYTHON names a Python with grpcio and its health and reflection packages"
        )
        let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
        let script = "/\(folder)/Foreign/check_server.py"
        try await withServer(.init(), addMethods) { server, _ in
            let (status, output) = try await ForeignProgram.run(
                python, script, "127.0.0.1:\(server.port)")
            #expect(status == 0, "\(output)")
        }
    }

    private func addMethods(_ server: GRPCServer) {
        let health = HealthService()
        server.add(health)
        server.addReflection(of: [])
        server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        server.unary("/test.Echo/Later") { request, _ in
            let bytes = Array(copying: request)
            return .async { bytes }
        }
        server.unary("/test.Fail/Now") { _, _ throws(GRPCStatusError) in
            throw GRPCStatusError(
                .failedPrecondition, "über 100 %\nund mehr ", details: [8, 9, 0, 255])
        }
        server.unary("/test.Context/Describe") { _, context in
            .reply(
                Array((context.metadata("x-tenant") ?? "").utf8)
                    + (context.metadataBytes("x-trace-bin") ?? []))
        }
        server.unary("/test.Control/SetStatus") { request, _ in
            switch String(decoding: Array(copying: request), as: UTF8.self) {
            case "serving": health.set(.serving, for: "test.Late")
            case "not serving": health.set(.notServing, for: "test.Late")
            default: health.set(nil, for: "test.Late")
            }
            return .reply([])
        }
        addWaitingMethods(server)
    }

    private func addWaitingMethods(_ server: GRPCServer) {
        let arrived = AsyncEvent()
        let cancelled = AsyncEvent()
        server.unary("/test.Wait/Unary") { _, context in
            let isLong = context.remaining! > .seconds(5)
            return .async {
                if isLong { arrived.set() }
                await untilCancelled()
                if isLong { cancelled.set() }
                return []
            }
        }
        server.unary("/test.Wait/UntilArrived") { _, _ in
            .async {
                await arrived.waitIgnoringCancellation()
                return []
            }
        }
        server.unary("/test.Wait/UntilCancelled") { _, _ in
            .async {
                await cancelled.waitIgnoringCancellation()
                return []
            }
        }
    }
}
