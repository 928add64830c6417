import GRPCTransport
import PipelineCore
@testable import ReportService
import Testing

@Suite("Addresses of generators")
struct GeneratorAddressesTests {
    @Test("are one or more, with names, IPv4 and IPv6 addresses")
    func valid() throws {
        #expect(try GeneratorAddresses("grpc://generator:50052").targets == ["generator:50052"])
        #expect(
            try GeneratorAddresses("grpc://10.0.0.1:1,[::1]:65535,a-b_c.example:50052").targets
                == ["10.0.0.1:1", "[::1]:65535", "a-b_c.example:50052"])
    }

    @Test(
        "say what is wrong with them",
        arguments: [
            ("grpc", "names no address"), ("grpc://", "an address is empty"),
            ("grpc://a:1,", "an address is empty"), ("grpc://a", "\"a\" has no port"),
            ("grpc://a:0", "has no port from 1 to 65535"),
            ("grpc://a:+1", "has no port from 1 to 65535"),
            ("grpc://a:65536", "has no port from 1 to 65535"),
            ("grpc://a:x", "has no port from 1 to 65535"), ("grpc://:1", "has no valid host"),
            ("grpc://a b:1", "has no valid host"), ("grpc://u:s3cret@h:1", "no user"),
            ("grpc://a/b:1", "has no valid host"), ("grpc://::1:50052", "needs brackets"),
            ("grpc://a:1,b:2,a:1", "\"a:1\" is named twice"),
        ])
    func invalid(text: String, problem: String) throws {
        let objection = try #require(GeneratorAddresses.objection(to: text))
        #expect(objection.contains(problem) && !objection.contains("s3cret"))
        #expect(objection.contains("grpc://host:port[,host:port…]"))
    }

    @Test("are limited in number")
    func limit() {
        let many = (1...65).map { "h:\($0)" }.joined(separator: ",")
        #expect(GeneratorAddresses.objection(to: "grpc://" + many) != nil)
    }
}

@Suite("The rotation of endpoints")
struct EndpointRotationTests {
    private let start = Instant(nanoseconds: 0)

    @Test("gives each its turn")
    func roundRobin() {
        var rotation = EndpointRotation(count: 3)
        let orders = (0..<4).map { _ in rotation.order(at: start) }
        #expect(orders == [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]])
    }

    @Test("puts one that failed behind the others until its pause is over")
    func pause() {
        var rotation = EndpointRotation(count: 3)
        rotation.failed(1, at: start)
        #expect(rotation.order(at: start) == [0, 2, 1])
        #expect(rotation.order(at: start) == [2, 0, 1])
        let later = start.advanced(by: EndpointRotation.pause)
        #expect(rotation.order(at: later) == [0, 1, 2])
    }

    @Test("takes one that has answered for well")
    func answered() {
        var rotation = EndpointRotation(count: 2)
        rotation.failed(0, at: start)
        rotation.answered(0)
        #expect(rotation.order(at: start) == [0, 1])
    }

    @Test("still names everybody when all have failed")
    func allFailed() {
        var rotation = EndpointRotation(count: 2)
        rotation.failed(0, at: start)
        rotation.failed(1, at: start)
        #expect(rotation.order(at: start) == [0, 1])
        #expect(rotation.order(at: start) == [1, 0])
    }
}

@Suite("Looking at generators elsewhere", .timeLimit(.minutes(1)))
struct GeneratorInspectionTests {
    @Test("tells of each address whether somebody serves there")
    func serving() async throws {
        try await ServedGenerator.with(GatedGenerator()) { _, address in
            let found = await RemoteGenerator.inspect(
                try GeneratorAddresses("grpc://\(address),127.0.0.1:1"), timeout: .seconds(5))
            #expect(found[0] == ResourceFinding("generator \(address)", .ok, "is serving"))
            #expect(found[1].verdict == .unreachable)
            #expect(found[1].subject == "generator 127.0.0.1:1")
        }
    }

    @Test("finds a server that is something else no generator")
    func another() async throws {
        let server = GRPCServer(configuration: .init(address: "127.0.0.1:0"))
        server.add(HealthService())
        try server.start()
        let found = await RemoteGenerator.inspect(
            try GeneratorAddresses("grpc://127.0.0.1:\(server.port)"), timeout: .seconds(5))
        #expect(found.map(\.verdict) == [.wrong])
        #expect(found[0].hint?.contains("penstock generate") == true)
        await server.shutdown(grace: .zero)
    }
}
