import ReportService
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
