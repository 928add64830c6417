import GRPCTransport
import Synchronization

/// Starts a server, lends it with a client, and shuts both down.
func withServer(
    _ configuration: GRPCServer.Configuration = .init(),
    _ addMethods: (GRPCServer) -> Void,
    _ body: (GRPCServer, GRPCClient) async throws -> Void
) async throws {
    let server = GRPCServer(configuration: configuration)
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
