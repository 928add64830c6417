import PipelineTesting
import PipelineCore
import Testing

@testable import Redis

@Suite("A Redis address")
struct RedisAddressTests {
    private func configuration(_ url: String, _ properties: [String: String] = [:]) throws
        -> RedisConfiguration
    {
        try RedisConfiguration(
            address: try #require(ResourceAddress(url: url, properties: properties)))
    }

    @Test func needsNoMoreThanAHost() throws {
        let configuration = try configuration("redis://cache")
        #expect(configuration.host == "cache")
        #expect(configuration.port == 6379)
        #expect(configuration.database == 0)
        #expect(configuration.user.isEmpty)
        #expect(configuration.password.isEmpty)
    }

    @Test func namesAUserAPasswordAPortAndADatabase() throws {
        let configuration = try configuration("redis://us%40er:p%3a%2Fw%25@10.0.0.1:7000/12")
        #expect(configuration.user == "us@er")
        #expect(configuration.password == "p:/w%")
        #expect(configuration.name == "10.0.0.1:7000")
        #expect(configuration.database == 12)
    }

    @Test(arguments: ["redis://[::1]:7000/1", "redis://:secret@[::1]:7000/1"])
    func mayBeOfIPv6(url: String) throws {
        let configuration = try configuration(url)
        #expect(configuration.host == "::1")
        #expect(configuration.name == "[::1]:7000")
    }

    @Test func takesProperties() throws {
        let configuration = try configuration(
            "redis://cache",
            [
                "connections": "4", "connect_timeout": "250ms", "command_timeout": "2s",
                "max_value": "64KiB",
            ])
        #expect(configuration.connections == 4)
        #expect(configuration.connectTimeout == .milliseconds(250))
        #expect(configuration.commandTimeout == .seconds(2))
        #expect(configuration.maxValueBytes == 65536)
    }

    @Test func mayBeWithTLS() throws {
        let properties = [
            "tls_ca_cert_file": "ca.pem", "tls_cert_file": "own.pem", "tls_key_file": "own.key",
            "tls_server_name": "cache.example",
        ]
        let tls = try #require(try configuration("rediss://:secret@10.0.0.1", properties).tls)
        #expect(tls.serverName == "cache.example")
        #expect(tls.files.map(\.path) == ["ca.pem", "own.pem", "own.key"])
        #expect(try configuration("rediss://h").tls == RedisTLS())
        // The file is the same where the environment names a server without it.
        #expect(try configuration("redis://h", properties).tls == nil)
        let address = try #require(ResourceAddress(url: "redis://h", properties: properties))
        #expect(RedisCache.files(of: address) == [])
    }

    @Test(arguments: [
        ("redis://", "needs a host"), ("redis:///0", "needs a host"),
        ("redis://h:0", "not a port"), ("redis://h:65536", "not a port"),
        ("redis://h:port", "not a port"), ("redis://[::1", "needs a host"),
        ("redis://h/x", "not the number of a database"),
        ("redis://h/-1", "not the number of a database"),
        ("redis://s3cret@h", "a user needs a password"),
        ("redis://u:@h", "the password is empty"),
        ("redis://u:s3cret%zz@h", "not percent-encoded"),
    ])
    func isRefusedWithTheReasonAndWithoutItsSecret(url: String, reason: String) throws {
        let error = try #require(throws: PipelineError.self) { try configuration(url) }
        #expect(error.code == "invalid-resource")
        #expect(error.disposition == .fatal)
        #expect(error.message.contains(reason))
        #expect(!error.message.contains("s3cret"))
    }

    @Test(arguments: [
        ("connections", "0", "from 1 to 16"), ("connect_timeout", "1", "has no unit"),
        ("command_timeout", "2h", "from 1ms to 1m"), ("max_value", "1GiB", "from 1B to 512MiB"),
        ("sslmode", "require", "\"sslmode\" is not a property of Redis"),
        ("tls_ca_cert_file", "", "is empty"), ("tls_cert_file", "own.pem", "belong together"),
        ("tls_key_file", "own.key", "belong together"),
    ])
    func refusesAProperty(name: String, value: String, reason: String) throws {
        let error = try #require(throws: PipelineError.self) {
            try configuration("redis://h", [name: value])
        }
        #expect(error.message.contains(name))
        #expect(error.message.contains(reason))
    }
}
