import Concurrency
import GRPCTransport
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HandoverTests {
    /// Which server answers, and whom.
    private static func answering(
        _ number: UInt8, peers: Peers, more: [String] = [],
        _ configuration: GRPCServer.Configuration = .init()
    ) -> GRPCServer {
        let server = GRPCServer(configuration: configuration)
        server.unary("/test.Who/Answers") { _, context in
            peers.note(context.peer)
            return .reply([number])
        }
        server.stream("/test.Who/Tells") { stream throws(GRPCStatusError) in
            try await stream.send([number])
        }
        for path in more { server.unary(path) { _, _ in .reply([]) } }
        return server
    }

    private static func asked(_ client: GRPCClient) async throws(GRPCStatusError) -> [UInt8] {
        try await client.unary("/test.Who/Answers", [], timeout: .seconds(30))
    }

    @Test("Calls in flight finish, those that come wait for the next server, on their connections")
    func handover() async throws {
        let peers = Peers()
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        func server(_ number: UInt8) -> GRPCServer {
            let server = Self.answering(number, peers: peers)
            server.unary("/test.Echo/Held") { _, _ in
                .async {
                    arrived.send()
                    await gate.waitIgnoringCancellation()
                    return [number]
                }
            }
            server.unary("/test.Wait/News", atShutdown: .interrupt) { _, _ in
                .async { () throws(GRPCStatusError) in
                    arrived.send()
                    await untilCancelled()
                    throw GRPCStatusError(.cancelled, "interrupted")
                }
            }
            return server
        }
        let (first, second) = (server(1), server(2))
        try first.start()
        let port = first.port
        let client = try await connectedClient(of: first)
        #expect(try await Self.asked(client) == [1])
        async let inFlight = client.unary("/test.Echo/Held", [], timeout: .seconds(30))
        async let news = failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Wait/News", [], timeout: .seconds(30))
        }
        await arrived.receive(2)
        async let left = first.hold(grace: .seconds(30))
        // Interrupted as soon as calls are held.
        #expect(await news?.code == .unavailable)
        async let waiting = Self.asked(client)
        async let told = try await client.stream("/test.Who/Tells", timeout: .seconds(30)).receive()
        gate.set()
        #expect(try await inFlight == [1])
        try second.start(on: await left)
        #expect(second.port == port && first.port == 0)
        #expect(try await waiting == [2])
        #expect(try await told == [2])
        #expect(try await Self.asked(client) == [2])
        #expect(peers.count == 1)
        await client.shutdown()
        await second.shutdown(grace: .seconds(20))
    }

    @Test("Nobody is turned away however often servers change under load")
    func load() async throws {
        let peers = Peers()
        var server = Self.answering(0, peers: peers)
        try server.start()
        let client = try await connectedClient(of: server)
        let isOver = AsyncEvent()
        async let failures = withTaskGroup(of: [GRPCStatusError].self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var failures: [GRPCStatusError] = []
                    while !isOver.isSet {
                        let failed = await failure { () throws(GRPCStatusError) in
                            try await Self.asked(client)
                        }
                        if let failed { failures.append(failed) }
                    }
                    return failures
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        for number in 1...50 as ClosedRange<UInt8> {
            let left = await server.hold(grace: .seconds(20))
            server = Self.answering(number, peers: peers)
            try server.start(on: left)
            #expect(try await Self.asked(client) == [number])
        }
        isOver.set()
        #expect(await failures == [])
        #expect(peers.count == 1)
        await client.shutdown()
        await server.shutdown(grace: .seconds(20))
    }

    @Test("Where nobody goes on, those who wait are told so; who gives up before is let go")
    func end() async throws {
        let server = Self.answering(1, peers: Peers())
        try server.start()
        let client = try await connectedClient(of: server)
        let left = await server.hold(grace: .seconds(20))
        let late = await failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Who/Answers", [], timeout: .milliseconds(50))
        }
        #expect(late?.code == .deadlineExceeded)
        async let status = failure { () throws(GRPCStatusError) in try await Self.asked(client) }
        left?.end()
        // CANCELLED if it was on its way when the server said good-bye to the connection.
        let code = await status?.code
        #expect(code == .unavailable || code == .cancelled)
        await client.shutdown()
    }

    @Test("A server of other methods listens on the address anew")
    func others() async throws {
        let first = Self.answering(1, peers: Peers())
        try first.start()
        let configuration = GRPCServer.Configuration(address: "127.0.0.1:\(first.port)")
        await first.shutdown(grace: .zero)
        let second = Self.answering(2, peers: Peers(), configuration)
        try second.start()
        let third = Self.answering(3, peers: Peers(), more: ["/test.Who/Else"], configuration)
        try third.start(on: await second.hold(grace: .zero))
        let client = try await connectedClient(of: third)
        #expect(try await Self.asked(client) == [3])
        await client.shutdown()
        await third.shutdown(grace: .seconds(20))
    }
}

/// Clients' connections, by their names.
private final class Peers: Sendable {
    private let names = Mutex<Set<String>>([])
    var count: Int { names.withLock(\.count) }
    func note(_ name: String) { names.withLock { _ = $0.insert(name) } }
}
