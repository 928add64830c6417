import ConfigurationDiagnostics
import Testing

@Suite("Redaction")
struct RedactionTests {
    @Test(
        "hides passwords, and nothing that helps to find a mistake",
        arguments: [
            ("kafka://localhost:99999", "kafka://localhost:99999"),
            ("kafka://u:geheim@a:1,b:99999", "kafka://***@a:1,b:99999"),
            (
                "postgres://h:1/d?sslmode=bogus&password=geheim&sslpassword=geheim",
                "postgres://h:1/d?sslmode=bogus&password=***&sslpassword=***"
            ),
            ("postgres://h/d?pass%77ord=geheim", "postgres://h/d?pass%77ord=***"),
            ("host=a password = 'ge\\'he im' dbname=x", "host=a password = *** dbname=x"),
            ("redis://:geheim", "redis://:***"), ("redis://h:6379/0", "redis://h:6379/0"),
        ])
    func addresses(text: String, shown: String) {
        #expect(Redaction.withoutCredentials(text) == shown)
    }

    @Test("strikes the secrets of an address out of a sentence about it, and leaves the rest")
    func sentences() {
        let sentence =
            #"kafka://***@h:99999: "h:99999" is not host:port; kafka://[user:password@]host:port"#
        #expect(
            Redaction.withoutSecrets(of: "kafka://u:geheim@h:99999", in: sentence) == sentence)
        #expect(
            Redaction.withoutSecrets(of: "memory:64", in: #"memory:64: "64" has no unit"#)
                == #"memory:64: "64" has no unit"#)
        #expect(
            Redaction.withoutSecrets(of: "redis:u:geheim@h", in: "no host in u:geheim@h")
                == "no host in ***@h")
        #expect(
            Redaction.withoutSecrets(
                of: "postgres://u:ge%20heim@h/d?sslpassword=other", and: ["third"],
                in: "ge heim, ge%20heim, other, third, h, d") == "***, ***, ***, ***, h, d")
    }

    /// Every form in which somebody might write a password: none shows it.
    @Test("never shows a password, whatever stands around it")
    func fuzz() {
        var random = Seeded(state: 7)
        let pieces = [
            "@", ":", "/", "?", "%40", "%3a", "&", "=", "#", ",", ";", "é", "x", "1", "[", "]",
        ]
        for _ in 0..<20_000 {
            let noise = {
                (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    pieces.randomElement(using: &random)!
                }.joined()
            }
            let secret = "s3cret"
            let user = noise()
            let scheme = ["kafka", "postgres", "redis", "grpc"].randomElement(using: &random)!
            let name = ["password", "sslpassword", "PASSWORD", "p%61ssword", "secret"]
                .randomElement(using: &random)!
            let forms = [
                "\(scheme)://u\(user):\(noise())\(secret)\(noise())@host:1/x",
                "\(scheme)://:\(secret)\(noise())@host",
                "\(scheme)://\(secret)\(noise())@host:99999",
                "\(scheme)://host:1/x?a=b&\(name)=\(secret)",
                "\(scheme)://host:1/x?\(name)=%41\(secret)&sslmode=no",
                "host=a \(name)=\(secret) port=1", "host=a \(name) = 'a \(secret)' port=1",
            ]
            for form in forms {
                let shown = Redaction.withoutCredentials(form)
                #expect(!shown.contains(secret), "\(form) is shown as \(shown)")
            }
        }
    }
}

/// A small generator whose seed repeats a run.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
