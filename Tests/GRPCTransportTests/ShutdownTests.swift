import Dispatch
import Concurrency
import GRPCTransport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ShutdownTests {
    @Test("Calls in flight finish within the grace, new ones are refused")
    func graceful() async throws {
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        let server = GRPCServer()
        server.unary("/test.Echo/Held") { _, _ in
            .async {
                arrived.send()
                await gate.waitIgnoringCancellation()
                return [7]
            }
        }
        // Interrupted as soon as the shutdown begins, so it tells when that is.
        server.unary("/test.Wait/News", atShutdown: .interrupt) { _, _ in
            .async { () throws(GRPCStatusError) in
                arrived.send()
                await untilCancelled()
                throw GRPCStatusError(.cancelled, "interrupted")
            }
        }
        try server.start()
        let client = try await connectedClient(of: server)
        async let held = client.unary("/test.Echo/Held", [], timeout: .seconds(30))
        async let news = failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Wait/News", [], timeout: .seconds(30))
        }
        await arrived.receive(2)
        async let stopped = server.shutdown(grace: .seconds(30))
        #expect(await news == GRPCStatusError(.unavailable, "the server is shutting down"))
        let refused = await failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Echo/Held", [], timeout: .seconds(30))
        }
        #expect(refused?.code == .unavailable)
        gate.set()
        #expect(try await held == [7])
        #expect(await stopped)
        await client.shutdown()
    }

    @Test("Who calls again at once when it is interrupted is told that the server is away")
    func calledAgain() async throws {
        for _ in 0..<100 {
            let arrived = CountedSignal()
            let server = GRPCServer()
            server.unary("/test.Wait/News", atShutdown: .interrupt) { _, _ in
                .async {
                    arrived.send()
                    await untilCancelled()
                    return [1]
                }
            }
            try server.start()
            let client = try await connectedClient(of: server)
            async let last = failure { () throws(GRPCStatusError) in
                while true {
                    _ = try await client.unary("/test.Wait/News", [], timeout: .seconds(30))
                }
            }
            await arrived.receive()
            await server.shutdown(grace: .seconds(30))
            let status = await last
            #expect(
                status?.code == .unavailable, "\(status.map(String.init(describing:)) ?? "none")")
            await client.shutdown()
        }
    }

    @Test("A call that is on its way while the server says good-bye is told that it is away")
    func crossing() async throws {
        for _ in 0..<100 {
            let arrived = CountedSignal()
            let server = GRPCServer()
            server.unary("/test.Echo/Now") { _, _ in
                arrived.send()
                return .reply([1])
            }
            try server.start()
            let client = try await connectedClient(of: server)
            let codes = try await withThrowingTaskGroup(of: GRPCStatusError?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        await failure { () throws(GRPCStatusError) in
                            while true {
                                _ = try await client.unary(
                                    "/test.Echo/Now", [], timeout: .seconds(30))
                            }
                        }
                    }
                }
                await arrived.receive(20)
                await server.shutdown(grace: .seconds(30))
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for status in codes {
                #expect(
                    status?.code == .unavailable,
                    "\(status.map(String.init(describing:)) ?? "none")")
            }
            await client.shutdown()
        }
    }

    @Test("Calls that outlast the grace are cancelled, and their handlers waited for")
    func ungraceful() async throws {
        let arrived = CountedSignal()
        let ended = CountedSignal()
        let server = GRPCServer()
        server.unary("/test.Wait/Unary") { _, _ in
            .async {
                arrived.send()
                await untilCancelled()
                ended.send()
                return []
            }
        }
        try server.start()
        let client = try await connectedClient(of: server)
        async let status = failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Wait/Unary", [], timeout: .seconds(30))
        }
        await arrived.receive()
        await server.shutdown(grace: .zero)
        await ended.receive()
        let code = await status?.code
        // It has answered all the same, unless its connection was closed before.
        #expect(code == nil || code == .cancelled || code == .unavailable)
        await client.shutdown()
    }

    @Test("A call that outlasts the grace is told that the server is shutting down")
    func farewell() async throws {
        let arrived = CountedSignal()
        let server = GRPCServer()
        server.unary("/test.Wait/Unary") { _, _ in
            .async { () throws(GRPCStatusError) in
                arrived.send()
                await untilCancelled()
                throw GRPCStatusError(.cancelled, "cancelled")
            }
        }
        try server.start()
        let client = try await connectedClient(of: server)
        async let status = failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Wait/Unary", [], timeout: .seconds(30))
        }
        await arrived.receive()
        #expect(await server.shutdown(grace: .milliseconds(100)))
        #expect(await status == GRPCStatusError(.unavailable, "the server is shutting down"))
        await client.shutdown()
    }

    @Test("A handler that does not listen to its cancellation holds nobody up")
    func deafHandler() async throws {
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        let server = GRPCServer()
        server.unary("/test.Wait/Unary") { _, _ in
            .async {
                arrived.send()
                await gate.waitIgnoringCancellation()
                return [1]
            }
        }
        try server.start()
        let client = try await connectedClient(of: server)
        async let status = failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Wait/Unary", [], timeout: .seconds(30))
        }
        await arrived.receive()
        let begin = ContinuousClock.now
        #expect(await server.shutdown(grace: .zero) == false)
        #expect(begin.duration(to: .now) < .seconds(5))
        #expect(await status?.code == .unavailable)
        // It may still answer: nothing that it uses has gone.
        gate.set()
        await client.shutdown()
    }

    @Test(
        "A call that its queue's thread still works on when its client has gone does not end the process"
    )
    func slowThread() async throws {
        let arrived = CountedSignal()
        let goesOn = DispatchSemaphore(value: 0)
        var configuration = GRPCServer.Configuration()
        configuration.queues = 1
        let server = GRPCServer(configuration: configuration)
        server.unary("/test.Wait/Thread") { _, _ in
            arrived.send()
            goesOn.wait()
            return .reply([1])
        }
        try server.start()
        let client = try await connectedClient(of: server)
        async let status = failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Wait/Thread", [], timeout: .seconds(30))
        }
        await arrived.receive()
        async let end = server.shutdown(grace: .zero)
        // By then the server has closed its connections.
        #expect(await status?.code == .unavailable)
        await client.shutdown()
        goesOn.signal()
        #expect(await end)
    }

    @Test("A server runs as long as its task")
    func runs() async throws {
        let server = GRPCServer()
        let answered = CountedSignal()
        server.unary("/test.Echo/Now") { _, _ in
            answered.send()
            return .reply([1])
        }
        let run = Task { try await server.run(grace: .seconds(20)) }
        while server.port == 0 { await Task.yield() }
        let client = try await connectedClient(of: server)
        #expect(try await client.unary("/test.Echo/Now", [], timeout: .seconds(30)) == [1])
        run.cancel()
        try await run.value
        #expect(server.port == 0)
        await client.shutdown()
    }

    @Test("Shutting down again, or what never ran, does nothing")
    func repeated() async throws {
        let idle = GRPCServer()
        await idle.shutdown(grace: .seconds(1))
        let server = GRPCServer()
        try server.start()
        async let first = server.shutdown(grace: .seconds(20))
        async let second = server.shutdown(grace: .seconds(20))
        _ = await (first, second)
        let client = try GRPCClient(target: "127.0.0.1:1")
        await client.shutdown()
        await client.shutdown()
        let status = await failure { () throws(GRPCStatusError) in
            try await client.unary("/test.Echo/Now", [], timeout: .seconds(30))
        }
        #expect(status == GRPCStatusError(.unavailable, "this client has been shut down"))
    }

    @Test("Servers that were never started, and clients never used, leave nothing behind")
    func unused() throws {
        for _ in 0..<10 {
            let server = GRPCServer()
            server.unary("/test.Echo/Now") { _, _ in .reply([]) }
            _ = try GRPCClient(target: "127.0.0.1:1")
        }
    }
}
