internal import Concurrency
public import Metrics
public import PipelineCore

/// The receiver of a webhook, called over HTTP with signatures by
/// [Standard Webhooks](https://www.standardwebhooks.com): `https://host/path`.
///
/// Calls are made at least once, and a repeat has the same id and the same body. Any 2xx is taken
/// for delivered; 408, 425, 429 and 5xx, a time that is over and a connection that fails are tried
/// again by whoever called, no earlier than `Retry-After` asks; redirects and other 4xx are refused
/// for good. A receiver that is away is noticed once: until it is back calls fail at once, and one
/// at a time tries. Never calls this machine, private networks or metadata services, whatever a
/// name is resolved to, unless the settings allow the host by its name.
public final class HTTPEndpoint: WebhookEndpoint {
    private let settings: WebhookSettings
    private let loop: CallLoop

    /// Connects when first used.
    ///
    /// - Parameters:
    ///   - address: with the properties `secrets` (1 to 4, `whsec_` and base64), `allow_hosts`
    ///     (none), `ca` (a file of authorities; the system's), `timeout` (`10s`),
    ///     `connect_timeout` (`5s`) and `in_flight` (8).
    ///   - clock: what calls are dated and the back-off is measured by.
    ///   - random: jitter of the back-off.
    ///   - metrics: takes the times of answers, how many calls are in flight, and whether the
    ///     receiver is taken to be away.
    /// - Throws: ``PipelineError`` `invalid-resource`.
    public init(
        address: ResourceAddress, clock: PipelineClock = .system,
        random: RandomSource = RandomSource(), metrics: MetricRegistry = MetricRegistry()
    ) throws(PipelineError) {
        let settings = try WebhookSettings(address: address)
        self.settings = settings
        let server = settings.url.server
        let times = Self.answers.map { metrics.histogram(.callSeconds, server, $0) }
        loop = try CallLoop(settings, clock: clock, random: random) { took, end in
            times[Self.answer(of: end)].observe(took)
        }
        metrics.setGauge(.callsInFlight, server) { [weak loop] in
            loop.map { Double($0.inFlight) }
        }
        metrics.setGauge(.circuitOpen, server) { [weak loop] in
            loop.map { $0.isCircuitOpen ? 1 : 0 }
        }
    }

    /// What is wrong with an address, found out without connecting; `nil` if nothing is.
    @Sendable public static func objection(to address: ResourceAddress) -> String? {
        do throws(PipelineError) {
            _ = try WebhookSettings(address: address)
            return nil
        } catch {
            return error.message
        }
    }

    /// The certificates that are read for an address.
    @Sendable public static func files(of address: ResourceAddress) -> [ResourceFile] {
        (try? WebhookSettings(address: address))?.files ?? []
    }

    public func call(_ calls: [WebhookCall]) async throws -> [WebhookAnswer] {
        try await loop.call(calls)
    }

    public func longestCalls(_ count: Int) -> Duration {
        settings.timeout * (count / settings.inFlight + 1)
    }

    public var backend: Backend? { settings.backend }

    /// Tells what the last calls have told: a receiver is somebody else's, who would not like to be
    /// asked every second.
    public func probe() async throws {
        if let problem = loop.problem { throw problem }
    }

    /// Connects and shakes hands. Calls nobody: whether the receiver takes calls, and knows the
    /// secret, is not known then.
    ///
    /// - Throws: ``PipelineError`` `webhook-unavailable`, retryable; `webhook-address` and
    ///   `webhook-encryption`, permanent.
    public func inspect(
        for needs: [ResourceNeed], timeout: Duration
    ) async throws -> [ResourceFinding] {
        let settings = settings
        let worker = CallLoop.newThread()
        let failure = try await worker.runAbandonably { () -> CallFailure? in
            do throws(CallFailure) {
                return try Transfer(settings).connect(within: timeout)
            } catch { return error }
        }
        guard let failure else {
            return [
                ResourceFinding(
                    .ok,
                    "it answers\(settings.url.isEncrypted ? ", and is trusted" : ""); no call was made"
                )
            ]
        }
        if case .failed(var error) = CallVerdict(of: .failed(failure), by: settings).answer {
            if error.code == .webhookEncryption { error.disposition = .permanent }
            throw error
        }
        return []
    }

    public func close() async { await loop.close() }

    /// What calls are counted apart by.
    private static let answers = ["2xx", "3xx", "4xx", "5xx", "none"]

    /// Which of ``answers`` it is; a status that no standard knows is the receiver's failure.
    private static func answer(of end: CallEnd) -> Int {
        switch end {
        case .status(let status, _): (200..<500).contains(status) ? status / 100 - 2 : 3
        case .failed: 4
        }
    }
}

extension MetricDeclaration {
    /// Those of webhooks.
    public static let ofWebhooks = [callSeconds, callsInFlight, circuitOpen]

    fileprivate static let callSeconds = histogram(
        "penstock_webhook_call_seconds",
        "Time from a webhook's call to its answer, by what that was: 2xx, 3xx, 4xx, 5xx or none.",
        labels: "server_address", "answer")
    fileprivate static let callsInFlight = gauge(
        "penstock_webhook_in_flight_calls", "Calls of a webhook that have no answer yet.",
        labels: "server_address")
    fileprivate static let circuitOpen = gauge(
        "penstock_webhook_circuit_open",
        "1 while a webhook's receiver is taken to be away, and not called; 0 otherwise.",
        labels: "server_address")
}
