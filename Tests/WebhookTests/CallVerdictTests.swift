import PipelineCore
import Testing

@testable import Webhook

@Suite("What an answer means")
struct CallVerdictTests {
    private let settings: WebhookSettings

    init() throws {
        settings = try WebhookSettings(
            address: #require(
                ResourceAddress(
                    url: "https://hook.example/secret-path",
                    properties: ["secrets": WebhookSettingsTests.secret])))
    }

    private func verdict(_ status: Int, retryAfter: Duration? = nil) -> CallVerdict {
        CallVerdict(of: .status(status, retryAfter: retryAfter), by: settings)
    }

    @Test("2xx is delivered", arguments: [200, 201, 202, 204, 299])
    func delivered(status: Int) {
        guard case .delivered = verdict(status).answer else {
            Issue.record("\(status)")
            return
        }
        #expect(verdict(status).effect == .answers)
    }

    @Test(
        "redirects, 410 and other 4xx are refused for good, each by its code",
        arguments: [
            (301, ErrorCode.webhookRedirected), (302, .webhookRedirected),
            (307, .webhookRedirected), (308, .webhookRedirected), (304, .webhookRedirected),
            (410, .webhookGone), (400, .webhookRefused), (401, .webhookRefused),
            (403, .webhookRefused), (404, .webhookRefused), (413, .webhookRefused),
            (422, .webhookRefused), (499, .webhookRefused),
        ])
    func refused(status: Int, code: ErrorCode) {
        guard case .refused(let error) = verdict(status).answer else {
            Issue.record("\(status)")
            return
        }
        #expect(error.code == code)
        #expect(error.disposition == .permanent)
        #expect(error.message.contains("\(status)"))
        #expect(!error.message.contains("secret-path"))
        #expect(verdict(status).effect == .answers)
    }

    @Test(
        "408, 425, 429, 5xx and what no standard knows are tried again",
        arguments: [408, 425, 429, 500, 502, 503, 504, 599, 600, 999])
    func failed(status: Int) {
        guard case .failed(let error) = verdict(status).answer else {
            Issue.record("\(status)")
            return
        }
        #expect(error.code == .webhookUnavailable)
        #expect(error.disposition == .retryable)
        #expect(error.backend == settings.backend)
        #expect(verdict(status).effect == .fails)
    }

    @Test("Retry-After is honoured, up to ten minutes")
    func retryAfter() {
        #expect(verdict(429, retryAfter: .seconds(7)).effect == .isAway(for: .seconds(7)))
        #expect(verdict(503, retryAfter: .seconds(86_400)).effect == .isAway(for: .minutes(10)))
        #expect(verdict(200, retryAfter: .seconds(7)).effect == .answers)
    }

    @Test("a closed address is nobody's outage; whatever else ends without an answer is one")
    func noAnswer() throws {
        let address = try #require(IPAddress("10.0.0.1"))
        let kinds: [(CallFailure.Kind, ErrorCode, PipelineError.Disposition)] = [
            (.unreachable, .webhookUnavailable, .retryable),
            (.timeout, .webhookUnavailable, .retryable), (.lost, .webhookUnavailable, .retryable),
            (.encryption(.untrusted), .webhookEncryption, .retryable),
            (.address(address), .webhookAddress, .permanent),
        ]
        for (kind, code, disposition) in kinds {
            let end = CallEnd.failed(CallFailure(kind: kind, reason: "why"))
            guard case .failed(let error) = CallVerdict(of: end, by: settings).answer else {
                Issue.record("\(kind)")
                continue
            }
            #expect(error.code == code)
            #expect(error.disposition == disposition)
            #expect((error.backend == nil) == (code == .webhookAddress))
        }
    }
}
