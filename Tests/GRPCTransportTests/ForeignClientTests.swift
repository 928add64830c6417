import Concurrency
import Dispatch
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

/// A program of another language, run to its end.
///
/// Not Foundation's `Process`, which leaks: the leak checker runs over these tests.
enum ForeignProgram {
    struct Failure: Error {
        let call: String
        let number: Int32
    }

    /// Runs a program and collects all that it writes.
    static func run(_ arguments: String...) async throws -> (status: Int32, output: String) {
        var ends: (read: Int32, write: Int32) = (0, 0)
        try unsafe withUnsafeMutablePointer(to: &ends) { pair in
            try check(
                "pipe",
                unsafe pipe(UnsafeMutableRawPointer(pair).assumingMemoryBound(to: Int32.self)))
        }
        let reader = ends.read
        defer { close(reader) }
        let process = try start(arguments, output: ends.write)
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                let output = readAll(reader)
                var status: Int32 = 0
                _ = unsafe waitpid(process, &status, 0)
                let text = String(decoding: output, as: UTF8.self)
                continuation.resume(returning: (status, text))
            }
        }
    }

    /// Starts a program whose output goes to `output`, which is closed here.
    private static func start(_ arguments: [String], output: Int32) throws -> pid_t {
        defer { close(output) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)
        unsafe posix_spawn_file_actions_addclose(&actions, output)
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for index in unsafe words.indices { unsafe free(words[index]) } }
        var process = pid_t()
        try check(
            "posix_spawn",
            unsafe posix_spawn(&process, arguments[0], &actions, nil, &words, environ))
        return process
    }

    private static func check(_ call: String, _ outcome: Int32) throws {
        if outcome != 0 { throw Failure(call: call, number: outcome) }
    }

    private static func readAll(_ descriptor: Int32) -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(descriptor, &part, part.count)
            if count <= 0 { return all }
            all += part[..<count]
        }
    }
}
