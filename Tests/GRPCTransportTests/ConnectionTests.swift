import Concurrency
import GRPCTransport
import Glibc
import Metrics
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

    @Test("Silent connections make room for a client that calls, and those with a call stay")
    func silentConnections() async throws {
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        var configuration = GRPCServer.Configuration()
        configuration.maxConnections = 5
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
            server.unary("/test.Echo/Held") { _, _ in
                .async {
                    arrived.send()
                    await gate.waitIgnoringCancellation()
                    return [7]
                }
            }
        } _: { server, client in
            async let held = client.unary("/test.Echo/Held", [], timeout: .seconds(60))
            await arrived.receive()
            let silent = try (0..<20).map { _ in try RawClient(port: server.port) }
            let other = try GRPCClient(target: "127.0.0.1:\(server.port)")
            let response = try await other.unary(
                "/test.Echo/Now", [5], timeout: .seconds(60), waitForReady: true)
            #expect(response == [5])
            gate.set()
            #expect(try await held == [7])
            withExtendedLifetime(silent) {}
            await other.shutdown()
        }
    }

    @Test(
        "A client that comes after many that have just come and say nothing waits until they make room"
    )
    func waitingForRoom() async throws {
        var configuration = GRPCServer.Configuration()
        configuration.maxConnections = 5
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        } _: { server, client in
            let silent = try (0..<20).map { _ in try RawClient(port: server.port) }
            #expect(try await client.unary("/test.Echo/Now", [5], timeout: .seconds(60)) == [5])
            withExtendedLifetime(silent) {}
        }
    }

    @Test(
        "While every connection has a call, others are turned away at once, and the server says so")
    func full() async throws {
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        var configuration = GRPCServer.Configuration()
        configuration.maxConnections = 1
        let metrics = MetricRegistry()
        let place = "{server_address=\"127.0.0.1:0\"}"
        try await withServer(configuration, metrics: metrics) { server in
            #expect(
                metrics.exposition().contains("penstock_grpc_refused_connections_total\(place) 0\n")
            )
            server.unary("/test.Echo/Held") { _, _ in
                .async {
                    arrived.send()
                    await gate.waitIgnoringCancellation()
                    return [7]
                }
            }
        } _: { server, client in
            async let held = client.unary("/test.Echo/Held", [], timeout: .seconds(60))
            await arrived.receive()
            let other = try RawClient(port: server.port)
            #expect(other.isEnded())
            #expect(server.problem == "1 connections are open, as many as may be")
            // Counted after the other has been told.
            let counted = "penstock_grpc_refused_connections_total\(place) 1\n"
            while !metrics.exposition().contains(counted) { await Task.yield() }
            let told = metrics.exposition()
            #expect(told.contains("penstock_grpc_connections\(place) 1\n"))
            #expect(told.contains("penstock_grpc_open_calls\(place) 1\n"))
            gate.set()
            #expect(try await held == [7])
        }
    }

    @Test("Once there is room again, the server says so, however many come and go meanwhile")
    func room() async throws {
        let (arrived, gate) = (CountedSignal(), AsyncEvent())
        var configuration = GRPCServer.Configuration()
        configuration.maxConnections = 3
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Held") { _, _ in
                .async {
                    arrived.send()
                    await gate.waitIgnoringCancellation()
                    return [7]
                }
            }
        } _: { server, client in
            async let held = client.unary("/test.Echo/Held", [], timeout: .seconds(60))
            await arrived.receive()
            var others = try (0..<2).map { _ in try RawClient(port: server.port) }
            while server.problem == nil { await Task.yield() }
            others = []
            // Somebody comes more often than the listener has a quiet second.
            while server.problem != nil {
                others = [try RawClient(port: server.port)]
                others = []
                for _ in 0..<1000 where server.problem != nil { await Task.yield() }
            }
            gate.set()
            #expect(try await held == [7])
            withExtendedLifetime(others) {}
        }
    }

    @Test("A connection that never says anything is ended")
    func neverSpoke() async throws {
        var configuration = GRPCServer.Configuration()
        configuration.handshakeTimeout = .milliseconds(500)
        try await withServer(configuration) { _ in
        } _: { server, _ in
            let other = try RawClient(port: server.port)
            #expect(other.isEnded())
        }
    }

    @Test("A connection that says everything at once and waits is not ended")
    func saysAllAtOnce() async throws {
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        var configuration = GRPCServer.Configuration()
        configuration.handshakeTimeout = .milliseconds(200)
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Held") { _, _ in
                .async {
                    arrived.send()
                    await gate.waitIgnoringCancellation()
                    return [7]
                }
            }
        } _: { server, _ in
            let client = try GRPCClient(target: "127.0.0.1:\(server.port)")
            async let held = client.unary(
                "/test.Echo/Held", [], timeout: .seconds(60), waitForReady: true)
            await arrived.receive()
            // Another one that is ended meanwhile tells that the first was looked at.
            let silent = try RawClient(port: server.port)
            #expect(silent.isEnded())
            gate.set()
            #expect(try await held == [7])
            await client.shutdown()
        }
    }

    @Test("A listening socket that fails is opened again on the same port")
    func deadListener() async throws {
        try await withServer { server in
            server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        } _: { server, _ in
            shutdown(try #require(listeningSocket(of: server.port)), Int32(SHUT_RDWR))
            let client = try GRPCClient(target: "127.0.0.1:\(server.port)")
            let response = try await client.unary(
                "/test.Echo/Now", [5], timeout: .seconds(60), waitForReady: true)
            #expect(response == [5])
            await client.shutdown()
        }
    }

    @Test("localhost is listened on at all its addresses, on one port")
    func localhost() async throws {
        let server = GRPCServer(configuration: .init(address: "localhost:0"))
        server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        try server.start()
        let client = try GRPCClient(target: "localhost:\(server.port)")
        let response = try await client.unary(
            "/test.Echo/Now", [5], timeout: .seconds(60), waitForReady: true)
        #expect(response == [5])
        await client.shutdown()
        await server.shutdown(grace: .seconds(20))
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

/// The descriptor in this process that listens on a port.
private func listeningSocket(of port: Int) -> Int32? {
    (3..<1024).first { descriptor in
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0,
            isListening == 1
        else { return false }
        var place = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &place) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        return Int(UInt16(bigEndian: place.sin_port)) == port
    }
}

@Suite("Whether an address is free to listen on", .timeLimit(.minutes(1)))
struct ListenProbeTests {
    @Test("is found out without listening, and a server can start afterwards")
    func free() async throws {
        let first = GRPCServer(configuration: .init(address: "127.0.0.1:0"))
        try first.start()
        let address = "127.0.0.1:\(first.port)"
        await first.shutdown(grace: .zero)
        try ListenProbe.check(address)
        let second = GRPCServer(configuration: .init(address: address))
        try second.start()
        await second.shutdown(grace: .zero)
    }

    @Test("names the process that listens there")
    func busy() async throws {
        let server = GRPCServer(configuration: .init(address: "127.0.0.1:0"))
        try server.start()
        let error = try #require(throws: GRPCError.self) {
            try ListenProbe.check("127.0.0.1:\(server.port)")
        }
        #expect(error.code == .addressInUse)
        #expect(error.message.contains("by process \(getpid()) ("))
        await server.shutdown(grace: .zero)
    }

    @Test("says what is wrong with an address that is no address of this machine")
    func foreign() {
        let error = #expect(throws: GRPCError.self) { try ListenProbe.check("192.0.2.1:50051") }
        #expect(error?.code == .addressRefused)
    }
}
