import GRPCTransport
import Protobuf
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ReflectionServiceTests {
    typealias Request = Grpc_Reflection_V1_ServerReflectionRequest
    typealias Response = Grpc_Reflection_V1_ServerReflectionResponse

    /// What the server answers to `request`, under both versions of the service.
    private func answers(
        to request: Request.OneOf_MessageRequest?
    ) async throws -> [Response.OneOf_MessageResponse?] {
        var answers: [Response.OneOf_MessageResponse?] = []
        try await withServer { server in
            server.addReflection(of: [])
            server.add(HealthService())
        } _: { _, client in
            for version in ["v1", "v1alpha"] {
                let method = MethodDescriptor<Request, Response>(
                    service: "grpc.reflection.\(version).ServerReflection",
                    name: "ServerReflectionInfo")
                let stream = try client.stream(method, timeout: .seconds(30))
                let message = Request.with {
                    $0.host = "here"
                    $0.messageRequest = request
                }
                try await stream.send(message)
                let response = try await stream.receive()
                #expect(response?.validHost == "here")
                #expect(response?.originalRequest == message)
                answers.append(response?.messageResponse)
                try await stream.finishSending()
                #expect(try await stream.receive() == nil)
            }
        }
        return answers
    }

    private func fileNames(_ answer: Response.OneOf_MessageResponse?) throws -> [String] {
        guard case .fileDescriptorResponse(let response) = answer else { return [] }
        return try response.fileDescriptorProto.map { try FileDescriptor(serialized: $0).name }
    }

    @Test(
        "A file is found by its name and by everything that it declares",
        arguments: [
            .fileByFilename("grpc/health/v1/health.proto"),
            .fileContainingSymbol("grpc.health.v1.Health"),
            .fileContainingSymbol("grpc.health.v1.Health.Watch"),
            .fileContainingSymbol("grpc.health.v1.HealthCheckResponse"),
            .fileContainingSymbol("grpc.health.v1.HealthCheckResponse.ServingStatus"),
        ] as [Request.OneOf_MessageRequest])
    func files(request: Request.OneOf_MessageRequest) async throws {
        for answer in try await answers(to: request) {
            #expect(try fileNames(answer) == ["grpc/health/v1/health.proto"])
        }
    }

    @Test("The services are those that the server answers")
    func services() async throws {
        for answer in try await answers(to: .listServices("*")) {
            guard case .listServicesResponse(let list) = answer else {
                Issue.record("no list: \(String(describing: answer))")
                continue
            }
            #expect(
                list.service.map(\.name) == [
                    "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                    "grpc.reflection.v1alpha.ServerReflection",
                ])
        }
    }

    @Test(
        "What the server does not know is said to be so",
        arguments: [
            .fileByFilename("no/such.proto"),
            .fileContainingSymbol("no.such.Symbol"),
            .fileContainingExtension(.with { $0.containingType = "grpc.health.v1.Health" }),
            .allExtensionNumbersOfType("no.such.Type"),
        ] as [Request.OneOf_MessageRequest])
    func notFound(request: Request.OneOf_MessageRequest) async throws {
        for answer in try await answers(to: request) {
            guard case .errorResponse(let error) = answer else {
                Issue.record("no error: \(String(describing: answer))")
                continue
            }
            #expect(error.errorCode == GRPCStatusCode.notFound.rawValue)
            #expect(error.errorMessage.hasPrefix("there is no "))
        }
    }

    @Test("A known type has no extensions")
    func extensions() async throws {
        let type = "grpc.health.v1.HealthCheckRequest"
        for answer in try await answers(to: .allExtensionNumbersOfType(type)) {
            #expect(answer == .allExtensionNumbersResponse(.with { $0.baseTypeName = type }))
        }
    }

    @Test("A file comes with all that it needs, each once")
    func dependencies() async throws {
        // a needs b and c, which both need d.
        let index = DescriptorIndex([
            try file("a.proto", needs: ["b.proto", "c.proto"]),
            try file("b.proto", needs: ["d.proto"]), try file("c.proto", needs: ["d.proto"]),
            try file("d.proto", needs: []),
        ])
        let found = try index.file(named: "a.proto")!.map {
            try FileDescriptor(serialized: $0).name
        }
        #expect(found.first == "a.proto")
        #expect(found.sorted() == ["a.proto", "b.proto", "c.proto", "d.proto"])
    }

    private func file(_ name: String, needs: [String]) throws -> FileDescriptor {
        var bytes: [UInt8] = [0x0A, UInt8(name.utf8.count)] + Array(name.utf8)
        for dependency in needs {
            bytes += [0x1A, UInt8(dependency.utf8.count)] + Array(dependency.utf8)
        }
        return try FileDescriptor(serialized: bytes)
    }
}
