import Dispatch
import Metrics
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import Webhook

@Suite("A webhook's calls", .timeLimit(.minutes(2)))
struct HTTPEndpointTests {
    private func address(
        _ port: UInt16, host: String = "127.0.0.1", _ more: [String: String] = [:]
    ) throws -> ResourceAddress {
        let properties = [
            "secrets": WebhookSettingsTests.secret, "allow_hosts": "127.0.0.1", "in_flight": "3",
        ].merging(more) { $1 }
        return try #require(
            ResourceAddress(url: "http://\(host):\(port)/hook", properties: properties))
    }

    private func calls(_ count: Int) -> [WebhookCall] {
        (0..<count).map { WebhookCall(id: .testing($0), body: Array("{\"n\": \($0)}".utf8)[...]) }
    }

    /// The codes, by the calls' order; `nil` for what is delivered.
    private func codes(_ answers: [WebhookAnswer]) -> [ErrorCode?] {
        answers.map { answer in
            switch answer {
            case .delivered: nil
            case .refused(let error), .failed(let error): error.code
            }
        }
    }

    @Test("are signed, each once, several at a time over connections that are kept")
    func delivers() async throws {
        let receiver = try ReceiverServer { _ in ("204 No Content", "") }
        defer { receiver.stop() }
        let metrics = MetricRegistry()
        let endpoint = try HTTPEndpoint(address: address(receiver.port), metrics: metrics)
        for _ in 1...3 {
            #expect(codes(try await endpoint.call(calls(10))) == Array(repeating: nil, count: 10))
        }
        #expect(receiver.received.count == 30)
        #expect(receiver.connections <= 3)
        #expect(receiver.mostInWork <= 3)
        let secret = try #require(WebhookSecret(WebhookSettingsTests.secret))
        for call in receiver.received {
            let id = try #require(call.header("webhook-id"))
            let seconds = try #require(call.header("webhook-timestamp").flatMap { Int64($0) })
            let wanted = secret.signature(of: id, at: seconds, call.body[...])
            #expect(call.header("webhook-signature") == wanted)
            #expect(call.header("expect") == nil)
        }
        #expect(try await endpoint.call([]).isEmpty)
        let server = "server_address=\"127.0.0.1:\(receiver.port)\""
        let told = metrics.exposition()
        #expect(
            told.contains("penstock_webhook_call_seconds_count{answer=\"2xx\",\(server)} 30"))
        #expect(told.contains("penstock_webhook_in_flight_calls{\(server)} 0"))
        #expect(told.contains("penstock_webhook_circuit_open{\(server)} 0"))
        await endpoint.close()
    }

    @Test("each have an answer of their own, in their order")
    func answers() async throws {
        let heads = ["200 OK", "410 Gone", "302 Found\r\nlocation: /", "404 Not Found", "503 Away"]
        let receiver = try ReceiverServer { call in
            let id = UUID(call.header("webhook-id") ?? "")
            return (heads[(0..<5).first { UUID.testing($0) == id } ?? 0], "")
        }
        defer { receiver.stop() }
        let endpoint = try HTTPEndpoint(address: address(receiver.port))
        #expect(
            codes(try await endpoint.call(calls(5))) == [
                nil, .webhookGone, .webhookRedirected, .webhookRefused, .webhookUnavailable,
            ])
        #expect(receiver.received.count == 5)
        try await endpoint.probe()
        await endpoint.close()
    }

    @Test("of a receiver that is away fail at once, and a probe tells of it")
    func away() async throws {
        let receiver = try ReceiverServer { _ in ("200 OK", "") }
        let port = receiver.port
        receiver.stop()
        let endpoint = try HTTPEndpoint(
            address: address(port), clock: ManualClock().clock)
        let answers = try await endpoint.call(calls(100))
        #expect(Set(codes(answers)) == [.webhookUnavailable])
        await #expect(throws: PipelineError.self) { try await endpoint.probe() }
        await #expect(throws: PipelineError.self) {
            _ = try await endpoint.inspect(for: [], timeout: .seconds(5))
        }
        await endpoint.close()
    }

    @Test("to a name that leads to this machine are not made, nor is a connection")
    func closedAddress() async throws {
        let receiver = try ReceiverServer { _ in ("200 OK", "") }
        defer { receiver.stop() }
        // With encryption it needs no leave; nobody answers the handshake, if it comes to that.
        let hidden = try #require(
            ResourceAddress(
                url: "https://localhost:\(receiver.port)/",
                properties: ["secrets": WebhookSettingsTests.secret]))
        let endpoint = try HTTPEndpoint(address: hidden)
        #expect(Set(codes(try await endpoint.call(calls(2)))) == [.webhookAddress])
        let error = await #expect(throws: PipelineError.self) {
            _ = try await endpoint.inspect(for: [], timeout: .seconds(5))
        }
        #expect(error?.code == .webhookAddress)
        #expect(error?.disposition == .permanent)
        #expect(receiver.connections == 0)
        await endpoint.close()
    }

    @Test("that have no answer in time are told so, and one that is cancelled ends at once")
    func timeout() async throws {
        let (release, arrivals) = (Gate(), Journal<Void>())
        let receiver = try ReceiverServer { _ in
            arrivals.note(())
            release.wait()
            return ("200 OK", "")
        }
        defer {
            release.open()
            receiver.stop()
        }
        let endpoint = try HTTPEndpoint(
            address: address(receiver.port, ["timeout": "100ms"]))
        let answers = try await endpoint.call(calls(1))
        #expect(codes(answers) == [.webhookUnavailable])
        let seen = arrivals.count
        let patient = try HTTPEndpoint(address: address(receiver.port, ["timeout": "1m"]))
        let work = Task { try await patient.call(calls(9)) }
        try await arrivals.reaches(seen + 3)
        work.cancel()
        await #expect(throws: CancellationError.self) { _ = try await work.value }
        await patient.close()
        await endpoint.close()
    }

    @Test("are refused once it is closed, and those in flight are given up")
    func closes() async throws {
        let (release, arrivals) = (Gate(), Journal<Void>())
        let receiver = try ReceiverServer { _ in
            arrivals.note(())
            release.wait()
            return ("200 OK", "")
        }
        defer {
            release.open()
            receiver.stop()
        }
        let endpoint = try HTTPEndpoint(address: address(receiver.port))
        let work = Task { try await endpoint.call(calls(9)) }
        try await arrivals.reaches(3)
        await endpoint.close()
        let error = await #expect(throws: PipelineError.self) { _ = try await work.value }
        #expect(error?.code == .webhookClosed)
        await #expect(throws: PipelineError.self) { _ = try await endpoint.call(calls(1)) }
    }

    @Test("do not read an answer to its end, however long it is")
    func longAnswer() async throws {
        // More than sockets keep on their way.
        let body = String(decoding: [UInt8](repeating: 0x78, count: 16 << 20), as: UTF8.self)
        let receiver = try ReceiverServer { _ in ("200 OK", body) }
        defer { receiver.stop() }
        let endpoint = try HTTPEndpoint(address: address(receiver.port))
        #expect(codes(try await endpoint.call(calls(4))) == [nil, nil, nil, nil])
        #expect(receiver.received.count == 4)
        #expect(receiver.wholeAnswers == 0)
        await endpoint.close()
    }

    @Test("send a large body without asking for leave, and headers without line breaks")
    func largeBody() async throws {
        let receiver = try ReceiverServer { _ in ("200 OK", "") }
        defer { receiver.stop() }
        let endpoint = try HTTPEndpoint(address: address(receiver.port))
        let body = [UInt8](repeating: 7, count: 2 << 20)
        let call = WebhookCall(
            id: .testing(1), body: body[...],
            headers: [Header("content-type", "a/b"), Header("traceparent", "x\r\nevil: yes")])
        #expect(codes(try await endpoint.call([call])) == [nil])
        let received = try #require(receiver.received.first)
        #expect(received.body == body)
        #expect(received.header("content-type") == "a/b")
        #expect(received.header("evil") == nil)
        #expect(received.header("traceparent") == nil)
        await endpoint.close()
    }

    @Test("a look connects and calls nobody")
    func inspects() async throws {
        let receiver = try ReceiverServer { _ in ("200 OK", "") }
        defer { receiver.stop() }
        let endpoint = try HTTPEndpoint(address: address(receiver.port))
        let found = try await endpoint.inspect(for: [.writing], timeout: .seconds(5))
        #expect(found.map(\.verdict) == [.ok])
        #expect(receiver.received.isEmpty)
        await endpoint.close()
    }
}

/// Holds up threads until it is opened.
private struct Gate {
    private let semaphore = DispatchSemaphore(value: 0)
    func wait() {
        semaphore.wait()
        semaphore.signal()
    }
    func open() { semaphore.signal() }
}
