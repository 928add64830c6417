import GRPCTransport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StreamTests {
    @Test("Messages go both ways until the client has sent its last")
    func bothWays() async throws {
        try await withServer { server in
            server.stream("/test.Echo/Stream") { stream throws(GRPCStatusError) in
                #expect(stream.metadata("x-tenant") == "blue")
                while let message = try await stream.receive() {
                    try await stream.send(message + [0])
                }
                try await stream.send([99])
            }
        } _: { _, client in
            let stream = try client.stream(
                "/test.Echo/Stream", timeout: .seconds(30), metadata: ["x-tenant": "blue"])
            for number in 0..<100 {
                try await stream.send([UInt8(number)])
                #expect(try await stream.receive() == [UInt8(number), 0])
            }
            try await stream.finishSending()
            #expect(try await stream.receive() == [99])
            #expect(try await stream.receive() == nil)
            #expect(try await stream.receive() == nil)
        }
    }

    @Test("A handler's error ends the stream with its status")
    func errorEndsStream() async throws {
        let error = GRPCStatusError(.outOfRange, "too far", details: [1, 2])
        try await withServer { server in
            server.stream("/test.Fail/Stream") { stream throws(GRPCStatusError) in
                try await stream.send([1])
                throw error
            }
        } _: { _, client in
            let stream = try client.stream("/test.Fail/Stream", timeout: .seconds(30))
            #expect(try await stream.receive() == [1])
            #expect(
                await failure { () throws(GRPCStatusError) in try await stream.receive() } == error)
            #expect(
                await failure { () throws(GRPCStatusError) in try await stream.send([1]) } == error)
        }
    }

    @Test("A shutdown interrupts streams at once and says why")
    func shutdownInterrupts() async throws {
        let arrived = CountedSignal()
        let server = GRPCServer()
        server.stream("/test.Wait/Stream") { stream throws(GRPCStatusError) in
            arrived.send()
            while let message = try await stream.receive() { try await stream.send(message) }
        }
        try server.start()
        let client = try await connectedClient(of: server)
        let stream = try client.stream("/test.Wait/Stream", timeout: nil)
        await arrived.receive()
        async let stopped = server.shutdown(grace: .seconds(3_600))
        let status = await failure { () throws(GRPCStatusError) in try await stream.receive() }
        #expect(status == GRPCStatusError(.unavailable, "the server is shutting down"))
        #expect(await stopped)
        await client.shutdown()
    }

    @Test("Cancelling the receiving task cancels the call at both sides")
    func receptionIsCancelled() async throws {
        let ended = CountedSignal()
        try await withServer { server in
            server.stream("/test.Wait/Stream") { stream throws(GRPCStatusError) in
                try await stream.send([1])
                await untilCancelled()
                ended.send()
            }
        } _: { _, client in
            let stream = try client.stream("/test.Wait/Stream", timeout: .seconds(30))
            #expect(try await stream.receive() == [1])
            let reception = Task {
                await failure { () throws(GRPCStatusError) in try await stream.receive() }
            }
            reception.cancel()
            #expect(await reception.value?.code == .cancelled)
            await ended.receive()
        }
    }

    @Test("A thousand streams run at once")
    func manyStreams() async throws {
        try await withServer { server in
            server.stream("/test.Echo/Stream") { stream throws(GRPCStatusError) in
                while let message = try await stream.receive() { try await stream.send(message) }
            }
        } _: { _, client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        let message = Array("stream \(number)".utf8)
                        let stream = try client.stream("/test.Echo/Stream", timeout: .seconds(50))
                        for _ in 0..<3 {
                            try await stream.send(message)
                            let echo = try await stream.receive()
                            #expect(echo == message)
                        }
                        try await stream.finishSending()
                        let end = try await stream.receive()
                        #expect(end == nil)
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}
