import Concurrency
import GRPCTransport
import Metrics
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LimitTests {
    @Test("A request that is too long is refused, and costs nobody else anything")
    func oversizeRequest() async throws {
        var configuration = GRPCServer.Configuration()
        configuration.maxMessageBytes = 1_000
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        } _: { _, client in
            let status = await failure { () throws(GRPCStatusError) in
                try await client.unary(
                    "/test.Echo/Now", Array(repeating: 1, count: 1_001), timeout: .seconds(30))
            }
            #expect(status?.code == .resourceExhausted)
            let longest = [UInt8](repeating: 1, count: 1_000)
            let response = try await client.unary("/test.Echo/Now", longest, timeout: .seconds(30))
            #expect(response == longest)
        }
    }

    @Test("Calls are counted with their status, those that are answered at once as well")
    func counted() async throws {
        let metrics = MetricRegistry()
        func line(_ method: String, _ code: String, _ count: Int) -> String {
            "rpc_server_call_duration_seconds_count{rpc_method=\"test.Echo/\(method)\","
                + "rpc_response_status_code=\"\(code)\",rpc_system_name=\"grpc\"} \(count)\n"
        }
        try await withServer(metrics: metrics) { server in
            server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
            server.unary("/test.Echo/Later") { _, _ in
                .async { () throws(GRPCStatusError) in throw GRPCStatusError(.notFound, "no") }
            }
        } _: { _, client in
            #expect(metrics.exposition().contains(line("Now", "OK", 0)))
            #expect(metrics.exposition().contains(line("Later", "OK", 0)))
            for _ in 0..<2 {
                _ = try await client.unary("/test.Echo/Now", [1], timeout: .seconds(30))
                let status = await failure { () throws(GRPCStatusError) in
                    try await client.unary("/test.Echo/Later", [1], timeout: .seconds(30))
                }
                #expect(status?.code == .notFound)
            }
            #expect(metrics.exposition().contains(line("Now", "OK", 2)))
            #expect(metrics.exposition().contains(line("Later", "NOT_FOUND", 2)))
            #expect(metrics.exposition().contains(line("Later", "OK", 0)))
        }
    }

    @Test("A response that is too long for the client ends the call")
    func oversizeResponse() async throws {
        try await withServer { server in
            server.unary("/test.Echo/Now") { request, _ in .reply(Array(copying: request)) }
        } _: { server, _ in
            var configuration = GRPCClient.Configuration(target: "127.0.0.1:\(server.port)")
            configuration.maxMessageBytes = 10
            let client = try GRPCClient(configuration: configuration)
            let status = await failure { () throws(GRPCStatusError) in
                try await client.unary(
                    "/test.Echo/Now", Array(repeating: 1, count: 11), timeout: .seconds(30),
                    waitForReady: true)
            }
            #expect(status?.code == .resourceExhausted)
            await client.shutdown()
        }
    }

    @Test("More calls than tasks may have are refused, until one ends")
    func tooManyCalls() async throws {
        let arrived = CountedSignal()
        let gate = AsyncEvent()
        var configuration = GRPCServer.Configuration()
        configuration.maxConcurrentCalls = 2
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Held") { _, _ in
                .async {
                    arrived.send()
                    await gate.waitIgnoringCancellation()
                    return []
                }
            }
        } _: { _, client in
            async let first = client.unary("/test.Echo/Held", [], timeout: .seconds(30))
            async let second = client.unary("/test.Echo/Held", [], timeout: .seconds(30))
            await arrived.receive(2)
            let status = await failure { () throws(GRPCStatusError) in
                try await client.unary("/test.Echo/Held", [], timeout: .seconds(30))
            }
            #expect(status?.code == .resourceExhausted)
            gate.set()
            _ = try await (first, second)
        }
    }

    @Test("A client that takes no answers is disconnected, and its calls' memory is free again")
    func unreadAnswers() async throws {
        var configuration = GRPCServer.Configuration()
        configuration.queues = 1
        configuration.maxOpenCalls = 20
        configuration.unreadTimeout = .seconds(2)
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Now") { _, _ in .reply([1, 2, 3]) }
            server.unary("/test.Echo/Later") { _, _ in .async { [1, 2, 3] } }
        } _: { server, client in
            let slow = try RawClient(port: server.port)
            slow.greet()
            for number in 0..<30 {
                slow.call(number % 2 == 0 ? "/test.Echo/Now" : "/test.Echo/Later", number: number)
            }
            // Twenty of them are kept, and nobody else has a call; unless this machine was too slow
            // to see it.
            while !slow.hasEnded {
                let status = await failure { () throws(GRPCStatusError) in
                    try await client.unary("/test.Echo/Now", [], timeout: .seconds(30))
                }
                if status?.code == .resourceExhausted { break }
            }
            #expect(slow.isEnded())
            var answer: [UInt8]?
            while answer == nil {
                answer = try? await client.unary("/test.Echo/Now", [], timeout: .seconds(30))
            }
            #expect(answer == [1, 2, 3])
        }
    }

    @Test("What was answered long ago is not taken for an unread answer")
    func freeSlots() async throws {
        var configuration = GRPCServer.Configuration()
        configuration.queues = 1
        configuration.unreadTimeout = .seconds(1)
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Now") { _, _ in .reply([1, 2, 3]) }
            server.unary("/test.Echo/Never", atShutdown: .interrupt) { _, _ in
                .async { () throws(GRPCStatusError) in
                    await untilCancelled()
                    throw GRPCStatusError(.aborted, "nobody hears this")
                }
            }
        } _: { _, client in
            _ = try await client.unary("/test.Echo/Now", [], timeout: .seconds(30))
            // An open call has the shard look for unread answers, once a second.
            let status = await failure { () throws(GRPCStatusError) in
                try await client.unary("/test.Echo/Never", [], timeout: .seconds(5))
            }
            #expect(status?.code == .deadlineExceeded)
            let again = try await client.unary("/test.Echo/Now", [], timeout: .seconds(30))
            #expect(again == [1, 2, 3])
        }
    }

    @Test("More calls than a connection may carry wait at the client")
    func tooManyStreams() async throws {
        var configuration = GRPCServer.Configuration()
        configuration.maxStreamsPerConnection = 3
        try await withServer(configuration) { server in
            server.unary("/test.Echo/Later") { _, _ in .async { [1] } }
        } _: { _, client in
            try await withThrowingTaskGroup(of: [UInt8].self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        try await client.unary("/test.Echo/Later", [], timeout: .seconds(30))
                    }
                }
                for try await response in group { #expect(response == [1]) }
            }
        }
    }
}
