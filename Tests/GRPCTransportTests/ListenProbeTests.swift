import GRPCTransport
import Glibc
import Testing

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
