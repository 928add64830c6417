import GRPCTransport
import Glibc
import Metrics
import Synchronization

/// Starts a server, lends it with a client, and shuts both down.
func withServer(
    _ configuration: GRPCServer.Configuration = .init(), metrics: MetricRegistry = MetricRegistry(),
    _ addMethods: (GRPCServer) -> Void,
    _ body: (GRPCServer, GRPCClient) async throws -> Void
) async throws {
    let server = GRPCServer(configuration: configuration, metrics: metrics)
    addMethods(server)
    try server.start()
    let client = try await connectedClient(of: server)
    do {
        try await body(server, client)
    } catch {
        await client.shutdown()
        await server.shutdown(grace: .zero)
        throw error
    }
    await client.shutdown()
    await server.shutdown(grace: .seconds(20))
}

/// A client that has a connection already.
func connectedClient(of server: GRPCServer) async throws -> GRPCClient {
    let client = try GRPCClient(target: "127.0.0.1:\(server.port)")
    let status = await failure { () throws(GRPCStatusError) in
        try await client.unary("/test.Nobody/Knows", [], timeout: .seconds(30), waitForReady: true)
    }
    guard status?.code == .unimplemented else { throw status ?? .init(.internal, "no failure") }
    return client
}

/// The status with which `call` fails; `nil` if it succeeds.
func failure<Value>(
    of call: () async throws(GRPCStatusError) -> Value
) async -> GRPCStatusError? {
    do {
        _ = try await call()
        return nil
    } catch {
        return error
    }
}

/// Returns when the task is cancelled, and not before.
func untilCancelled() async {
    let (never, continuation) = AsyncStream.makeStream(of: Never.self)
    for await _ in never {}
    continuation.finish()
}

/// Something that tests and handlers tell each other.
final class CountedSignal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let sent = Atomic(0)

    init() { (stream, continuation) = AsyncStream.makeStream() }

    /// How many have been sent.
    var count: Int { sent.load(ordering: .relaxed) }

    func send() {
        sent.add(1, ordering: .relaxed)
        continuation.yield()
    }

    /// Waits for `count` signals, each of which is received once.
    func receive(_ count: Int = 1) async {
        var iterator = stream.makeAsyncIterator()
        for _ in 0..<count { _ = await iterator.next() }
    }
}

/// A client that says to a server what it likes, byte by byte, and reads nothing unless it is asked
/// to.
final class RawClient {
    private let descriptor: Int32

    /// Connects to a port on loopback.
    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = UInt16(port).bigEndian
        place.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = unsafe withUnsafePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if connected != 0 { throw Failure(number: errno) }
        var patience = timeval(tv_sec: 30, tv_usec: 0)
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    struct Failure: Error { var number: Int32 }

    /// Says hello as HTTP/2 asks for, and takes no data on any stream.
    func greet() {
        let noWindow: [UInt8] = [0, 4, 0, 0, 0, 0]
        send(
            Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, flags: 0, stream: 0, noWindow)
        )
    }

    /// Calls a method with an empty message, on stream 1, 3, 5 …
    func call(_ path: String, number: Int) {
        let headers = [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "test"),
            ("te", "trailers"), ("content-type", "application/grpc"),
        ]
        var block: [UInt8] = []
        for (name, value) in headers {
            block += [0, UInt8(name.utf8.count)] + Array(name.utf8)
            block += [UInt8(value.utf8.count)] + Array(value.utf8)
        }
        let stream = UInt32(2 * number + 1)
        send(
            frame(1, flags: 4, stream: stream, block)
                + frame(0, flags: 1, stream: stream, [0, 0, 0, 0, 0]))
    }

    /// Whether the server has ended the connection by now.
    var hasEnded: Bool {
        var entry = pollfd(fd: descriptor, events: 0x2000 /* POLLRDHUP */, revents: 0)
        return unsafe poll(&entry, 1, 0) > 0
    }

    /// Reads until the server ends the connection; `false` if it does not.
    func isEnded() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(descriptor, &bytes, bytes.count, 0)
            if count == 0 { return true }
            if count < 0 { return errno == ECONNRESET }
        }
    }

    private func frame(_ type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let length = UInt32(payload.count)
        let head = [length >> 16, length >> 8, length].map { UInt8(truncatingIfNeeded: $0) }
        let name = [stream >> 24, stream >> 16, stream >> 8, stream]
        return head + [type, flags] + name.map { UInt8(truncatingIfNeeded: $0) } + payload
    }

    private func send(_ bytes: [UInt8]) {
        _ = unsafe Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }
}
