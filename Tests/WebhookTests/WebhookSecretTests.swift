import PipelineCore
import Testing

@testable import Webhook

@Suite("A webhook's secret")
struct WebhookSecretTests {
    @Test("signs as the libraries of Standard Webhooks do")
    func vector() throws {
        // Of their own tests.
        let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let signature = secret.signature(
            of: "msg_p5jXN8AQM9LWM0D4loKWxJek", at: 1_614_265_330,
            Array(#"{"test": 2432232314}"#.utf8)[...])
        #expect(signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test("signs id, time and body: another one of any is another signature")
    func content() throws {
        let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        let body: Bytes = [1, 2, 3]
        let signatures = Set([
            secret.signature(of: "a", at: 1, body), secret.signature(of: "b", at: 1, body),
            secret.signature(of: "a", at: 2, body), secret.signature(of: "a", at: 1, [1, 2]),
        ])
        #expect(signatures.count == 4)
    }

    @Test("is not shown by its description")
    func description() throws {
        let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        #expect("\(secret)" == "whsec_***")
    }

    @Test(
        "is whsec_ and 24 to 64 bytes in base64",
        arguments: [
            "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            // 23 bytes, and 65.
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            "whsec_" + String(repeating: "AAAA", count: 21) + "AAA=",
            // Without padding, of the alphabet for URLs, with white space, padded too much.
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ",
            "whsec_MfKQ9r8GKYqrTwjU\nPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL===",
        ])
    func others(text: String) {
        #expect(WebhookSecret(text) == nil)
    }

    @Test("may be of 24 bytes and of 64")
    func lengths() {
        #expect(WebhookSecret("whsec_" + String(repeating: "AAAA", count: 8)) != nil)
        #expect(WebhookSecret("whsec_" + String(repeating: "AAAA", count: 21) + "AA==") != nil)
    }
}
