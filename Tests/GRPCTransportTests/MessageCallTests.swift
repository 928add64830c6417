import GRPCTransport
import Protobuf
import Testing

@Suite(.timeLimit(.minutes(1)))
struct MessageCallTests {
    typealias Request = Grpc_Health_V1_HealthCheckRequest
    typealias Response = Grpc_Health_V1_HealthCheckResponse
    let unary = MethodDescriptor<Request, Response>(service: "test.Messages", name: "Unary")
    let stream = MethodDescriptor<Request, Response>(
        service: "test.Messages", name: "Stream", isClientStreaming: true, isServerStreaming: true)

    @Test("A handler takes and gives messages", arguments: ["now", "later"])
    func roundTrip(name: String) async throws {
        try await withServer { server in
            server.unary(unary) { request, _ -> UnaryAnswer<Response> in
                let response = Response.with {
                    $0.status = request.service == name ? .serving : .notServing
                }
                return name == "now" ? .reply(response) : .async { response }
            }
        } _: { _, client in
            let request = Request.with { $0.service = name }
            let response = try await client.call(unary, request, timeout: .seconds(30))
            #expect(response.status == .serving)
        }
    }

    @Test("A response that is serialized already is sent as it is")
    func serializedResponse() async throws {
        let serialized = try Response.with { $0.status = .notServing }.serializedBytes()
        try await withServer { server in
            server.unary(unary, admitting: { _ in }) { _, _, _ -> UnaryAnswer<[UInt8]> in
                .reply(serialized)
            }
        } _: { _, client in
            let response = try await client.call(unary, Request(), timeout: .seconds(30))
            #expect(response.status == .notServing)
        }
    }

    @Test("Bytes that are no message are refused, and it is said where")
    func malformed() async throws {
        try await withServer { server in
            server.unary(unary, admitting: { _ in }) { _, _, _ -> UnaryAnswer<[UInt8]> in
                .reply([0xFF])
            }
        } _: { _, client in
            let refused = await failure { () throws(GRPCStatusError) in
                try await client.unary(unary.path, [0x0A, 0x05, 0x41], timeout: .seconds(30))
            }
            #expect(refused?.code == .invalidArgument)
            #expect(
                refused?.message.hasPrefix("the request is no grpc.health.v1.HealthCheckRequest: ")
                    == true)
            #expect(refused?.message.contains("service") == true)
            let unreadable = await failure { () throws(GRPCStatusError) in
                try await client.call(unary, Request(), timeout: .seconds(30))
            }
            #expect(unreadable?.code == .internal)
        }
    }

    @Test("A stream carries messages both ways")
    func streams() async throws {
        try await withServer { server in
            server.stream(stream) { call throws(GRPCStatusError) in
                while let request = try await call.receive() {
                    try await call.send(
                        .with { $0.status = request.service.isEmpty ? .unknown : .serving })
                }
            }
        } _: { _, client in
            let call = try client.stream(stream, timeout: .seconds(30))
            try await call.send(.with { $0.service = "a" })
            #expect(try await call.receive()?.status == .serving)
            try await call.send(Request())
            #expect(try await call.receive()?.status == .unknown)
            try await call.finishSending()
            #expect(try await call.receive() == nil)
        }
    }
}
