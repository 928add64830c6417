import Glibc
import PipelineCore
import Testing

/// A Redis server of one test's own, on loopback.
final class RedisServer: Sendable {
    struct CannotStart: Error, CustomStringConvertible {
        let description: String
    }
    let port: UInt16
    private let process: pid_t

    /// Starts a server and returns once it accepts connections.
    init(port: UInt16? = nil, options: [String] = []) throws {
        self.port = try port ?? Self.freePort()
        let arguments =
            ["redis-server", "--bind", "127.0.0.1", "--port", "\(self.port)"]
            + ["--save", "", "--appendonly", "no", "--daemonize", "no"] + options
        var ends: [Int32] = [0, 0]
        guard unsafe pipe(&ends) == 0 else { throw CannotStart(description: "pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        process = try Self.spawn(arguments, output: ends[1])
        close(ends[1])
        try Self.awaitReady(ends[0])
    }

    deinit {
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    /// Keeps connections open, but answers nothing.
    func freeze() { kill(process, SIGSTOP) }
    func thaw() { kill(process, SIGCONT) }

    /// `redis://…`, with the user information and properties given.
    func address(
        _ credentials: String = "", database: Int = 0, properties: [String: String] = [:]
    ) throws -> ResourceAddress {
        let url = "redis://\(credentials)127.0.0.1:\(port)/\(database)"
        return try #require(ResourceAddress(url: url, properties: properties))
    }

    private static func spawn(_ arguments: [String], output: Int32) throws -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        var pointers = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
        var process = pid_t()
        let failed = unsafe posix_spawnp(
            &process, "redis-server", &actions, nil, &pointers, environ)
        guard failed == 0 else {
            throw CannotStart(description: "redis-server can't be started: error \(failed)")
        }
        return process
    }

    /// Reads the server's log up to the line that says so.
    private static func awaitReady(_ output: Int32) throws {
        var log: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe read(output, &buffer, buffer.count)
            let text = String(decoding: log, as: UTF8.self)
            guard count > 0 else { throw CannotStart(description: "redis-server ended: \(text)") }
            log += buffer[..<count]
            if String(decoding: log, as: UTF8.self).contains("eady to accept connections") {
                return
            }
        }
    }

    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe bind(descriptor, pointer, length) == 0
                    && getsockname(descriptor, pointer, &length) == 0
            }
        }
        guard isBound else { throw CannotStart(description: "no free port") }
        return UInt16(bigEndian: address.sin_port)
    }
}

/// The shared server that the environment names.
func sharedRedis() throws -> ResourceAddress {
    let url = unsafe getenv("PENSTOCK_TEST_REDIS").map { unsafe String(cString: $0) }
    return try #require(
        url.flatMap { ResourceAddress(url: $0) },
        "set PENSTOCK_TEST_REDIS to a server for tests (deploy/test-servers starts one)")
}

/// Tries until the condition holds.
/// - Throws: the last error when `limit` has passed.
func eventually(
    within limit: Duration = .seconds(20), _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while true {
        do {
            if try await condition() { return }
            try #require(ContinuousClock.now < deadline, "not within \(limit)")
        } catch  where ContinuousClock.now < deadline {}
        await Task.yield()
    }
}
