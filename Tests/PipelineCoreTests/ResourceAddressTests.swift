import PipelineCore
import Testing

@Suite("A resource's address")
struct ResourceAddressTests {
    @Test("has a scheme and a rest")
    func parts() throws {
        let address = try #require(ResourceAddress(url: "Embedded:data/p.sqlite"))
        #expect(address.scheme == "embedded")
        #expect(address.rest == "data/p.sqlite")
        #expect(ResourceAddress(url: "grpc://[::1]:50051")?.rest == "[::1]:50051")
        #expect(ResourceAddress(url: "no scheme") == nil)
        #expect(ResourceAddress(url: ":nothing") == nil)
    }

    @Test(
        "shows no secret",
        arguments: [
            "postgres://ada:secret@db/penstock", "postgres://ada:p@secret@db/penstock",
            "redis://:secret@cache:6379/0", "postgres://db/penstock?password=secret",
            "postgres://ada@db/penstock?sslmode=require&password=secret",
        ])
    func secrets(_ url: String) throws {
        let shown = try #require(ResourceAddress(url: url)).description
        #expect(!shown.contains("secret"), "\(shown)")
        #expect(shown.hasPrefix(url.prefix { $0 != ":" } + "://"))
    }

    @Test("without a secret is shown as it stands")
    func plain() {
        let url = "postgres://db:5432/penstock?sslmode=require"
        #expect(ResourceAddress(url: url)?.description == url)
    }
}
