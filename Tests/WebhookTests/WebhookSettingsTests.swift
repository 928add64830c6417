import PipelineCore
import Testing

@testable import Webhook

@Suite("The settings of a webhook")
struct WebhookSettingsTests {
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    static let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

    private func settings(
        _ url: String, _ properties: [String: String] = ["secrets": secret]
    ) throws -> WebhookSettings {
        try WebhookSettings(
            address: try #require(ResourceAddress(url: url, properties: properties)))
    }

    private func objection(
        _ url: String, _ properties: [String: String] = ["secrets": secret]
    ) throws -> String? {
        HTTPEndpoint.objection(
            to: try #require(ResourceAddress(url: url, properties: properties)))
    }

    @Test("are an address and a secret at least")
    func least() throws {
        let settings = try settings("https://Hook.Example/reports?v=1")
        #expect(settings.url.host == "hook.example")
        #expect(settings.url.origin == "https://hook.example:443")
        #expect(settings.timeout == .seconds(10))
        #expect(settings.connectTimeout == .seconds(5))
        #expect(settings.inFlight == 8)
        #expect(settings.secrets.count == 1)
        #expect(!settings.isAllowedAnywhere)
        #expect(settings.files.isEmpty)
    }

    @Test("name several secrets, hosts, limits and an authority")
    func all() throws {
        let settings = try settings(
            "http://receiver:8080/",
            [
                "secrets[0]": Self.secret, "secrets[1]": Self.other, "allow_hosts[0]": "Receiver",
                "ca": "ca.pem", "timeout": "2s", "connect_timeout": "250ms", "in_flight": "3",
            ])
        #expect(settings.secrets.count == 2)
        #expect(settings.isAllowedAnywhere)
        #expect(settings.timeout == .seconds(2))
        #expect(settings.connectTimeout == .milliseconds(250))
        #expect(settings.inFlight == 3)
        #expect(settings.files == [ResourceFile(property: "ca", path: "ca.pem")])
    }

    @Test(
        "are refused with what is wrong",
        arguments: [
            ("https://user:pa55word@hook.example/", "a user or a password"),
            ("https://hook.example/#part", "fragment"),
            ("https://", "no URL"), ("https:///path", "needs a host"),
            ("https:/host", "needs a host"),
            ("https://hook.example:0/", "0 is not a port"),
            ("https://hook.example:99999/", "no URL"),
            ("https://hook example/", "no URL"),
            ("http://hook.example/", "\"allow_hosts\""),
            ("https://127.0.0.1/", "127.0.0.1 is an address of this machine"),
            ("https://127.1/", "127.0.0.1 is an address of this machine"),
            ("https://2130706433/", "127.0.0.1 is an address of this machine"),
            ("https://0x7f.1/", "127.0.0.1 is an address of this machine"),
            ("https://[::1]:8443/", "::1 is an address of this machine"),
            ("https://[::ffff:8.8.8.8]/", "is an address of this machine"),
            ("https://169.254.169.254/latest", "169.254.169.254 is an address of this machine"),
        ])
    func addresses(url: String, words: String) throws {
        let said = try #require(try objection(url))
        #expect(said.contains(words), "\(said)")
        #expect(!said.contains("pa55word"))
    }

    @Test(
        "are refused with the property's name, and never show a secret",
        arguments: [
            (["secrets": "whsec_c2hvcnQ="], "\"secrets\" is not a secret"),
            (["secrets[0]": secret, "secrets[1]": "hidden"], "\"secrets[1]\" is not a secret"),
            (["secrets[0]": secret, "secrets[1]": secret], "\"secrets[1]\" is another one's"),
            ([:], "\"secrets\" has 0 secrets"),
            (["secrets": secret, "allow_hosts": "https://a"], "\"allow_hosts\" is not the name"),
            (["secrets": secret, "allow_hosts[3]": "a:80"], "\"allow_hosts[3]\" is not the name"),
            (["secrets": secret, "timeout": "soon"], "\"timeout\" is no duration"),
            (["secrets": secret, "timeout": "2m"], "\"timeout\" is not from 100ms to 1m"),
            (["secrets": secret, "connect_timeout": "1ms"], "\"connect_timeout\" is not from"),
            (["secrets": secret, "in_flight": "0"], "\"in_flight\" is not a number"),
            (["secrets": secret, "ca": ""], "\"ca\" is empty"),
            (["secrets": secret, "ca[0]": "a"], "\"ca[0]\" is not a property"),
            (["secrets": secret, "retries": "3"], "\"retries\" is not a property"),
        ])
    func properties(properties: [String: String], words: String) throws {
        let said = try #require(try objection("https://hook.example/", properties))
        #expect(said.contains(words), "\(said)")
        for value in properties.values where value.contains("whsec_") || value == "hidden" {
            #expect(!said.contains(value))
        }
    }

    @Test("let a host be anywhere, and do without encryption, by its name alone")
    func allowed() throws {
        for (url, name) in [
            ("http://hook.internal/", "hook.internal"), ("https://10.0.0.1/", "10.0.0.1"),
            ("https://[::1]/", "::1"), ("http://localhost:8080/", "LOCALHOST"),
        ] {
            let properties = ["secrets": Self.secret, "allow_hosts[0]": name]
            #expect(try settings(url, properties).isAllowedAnywhere)
            let others = [
                "secrets": Self.secret, "allow_hosts[0]": "x\(name.lowercased().suffix(3))",
            ]
            #expect(try objection(url, others.filter { !$0.value.contains(":") }) != nil)
        }
    }
}
