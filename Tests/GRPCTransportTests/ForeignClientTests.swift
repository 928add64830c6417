// Foundation for `Process`: the foreign client is a program of its own.
import Foundation
import GRPCTransport
import Testing

@Suite(.timeLimit(.minutes(2)))
struct ForeignClientTests {
    @Test("Python's gRPC gets on with the server")
    func python() async throws {
        let python = try #require(
            ProcessInfo.processInfo.environment["PENSTOCK_TEST_PYTHON"],
            "PENSTOCK_TEST_PYTHON names a Python with grpcio and its health and reflection packages"
        )
        let script = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Foreign/check_server.py").path
        try await withServer(.init(), addMethods) { server, _ in
            let (status, output) = try await run(python, script, "127.0.0.1:\(server.port)")
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
        let arrived = Gate()
        let cancelled = Gate()
        server.unary("/test.Wait/Unary") { _, context in
            let isLong = context.remaining! > .seconds(5)
            return .async {
                if isLong { arrived.open() }
                await untilCancelled()
                if isLong { cancelled.open() }
                return []
            }
        }
        server.unary("/test.Wait/UntilArrived") { _, _ in
            .async {
                await arrived.pass()
                return []
            }
        }
        server.unary("/test.Wait/UntilCancelled") { _, _ in
            .async {
                await cancelled.pass()
                return []
            }
        }
    }

    private func run(_ arguments: String...) async throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: arguments[0])
        process.arguments = Array(arguments.dropFirst())
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        let status = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
        return (status, String(decoding: output, as: UTF8.self))
    }
}
