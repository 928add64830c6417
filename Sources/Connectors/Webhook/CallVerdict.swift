internal import PipelineCore

/// How a call has ended.
enum CallEnd: Sendable {
    /// The receiver has answered; whatever becomes of the answer's body changes nothing.
    case status(Int, retryAfter: Duration?)
    /// It has not: nobody knows whether it was reached.
    case failed(CallFailure)
}

/// Why there is no answer.
struct CallFailure: Error {
    enum Kind: Sendable {
        /// The name or the address leads nowhere, or nobody listens.
        case unreachable
        case timeout
        /// The connection ended.
        case lost
        /// A mistake about encryption, which stays until somebody changes something.
        case encryption(TLSFailure)
        /// An address that is not called.
        case address(IPAddress)
    }
    var kind: Kind
    /// In libcurl's words.
    var reason: String
}

/// What an end means, for the call and for those after it: pure.
struct CallVerdict: Sendable {
    enum Effect: Sendable, Equatable {
        /// The receiver is there.
        case answers
        /// It failed as it may fail for one call and not for others.
        case fails
        /// It would fail for every call, so long at least.
        case isAway(for: Duration)
    }
    /// No `Retry-After` keeps calls longer.
    static let longestRetryAfter = Duration.minutes(10)

    let answer: WebhookAnswer
    let effect: Effect

    init(of end: CallEnd, by settings: WebhookSettings) {
        let origin = settings.url.origin
        func unavailable(_ reason: String) -> WebhookAnswer {
            .failed(
                .retryable(.webhookUnavailable, "the webhook \(origin) \(reason)")
                    .of(settings.backend))
        }
        switch end {
        case .status(let status, let retryAfter):
            (answer, effect) = Self.judged(status, retryAfter, origin, unavailable)
        case .failed(let failure):
            switch failure.kind {
            case .unreachable:
                answer = unavailable("can't be reached: \(failure.reason)")
                effect = .isAway(for: .zero)
            case .timeout:
                answer = unavailable("does not answer in time: \(failure.reason)")
                effect = .fails
            case .lost:
                answer = unavailable("has not answered: \(failure.reason)")
                effect = .fails
            case .encryption(let mistake):
                answer = .failed(
                    .retryable(
                        .webhookEncryption,
                        "the webhook \(origin) and this process do not agree on encryption:"
                            + " \(failure.reason); \(Self.advice(on: mistake))"
                    ).of(settings.backend))
                effect = .isAway(for: .zero)
            case .address(let address):
                answer = .failed(
                    .permanent(
                        .webhookAddress,
                        "the webhook \(origin) is at \(address), an address of this machine, of a"
                            + " private network, or nobody's: it is not called; name the host in"
                            + " \"allow_hosts\" if it is meant"))
                effect = .isAway(for: .zero)
            }
        }
    }

    private static func judged(
        _ status: Int, _ retryAfter: Duration?, _ origin: String,
        _ unavailable: (String) -> WebhookAnswer
    ) -> (WebhookAnswer, Effect) {
        func refused(_ code: ErrorCode, _ advice: String = "") -> (WebhookAnswer, Effect) {
            (
                .refused(.permanent(code, "the webhook \(origin) answers \(status)\(advice)")),
                .answers
            )
        }
        switch status {
        case 200...299: return (.delivered, .answers)
        case 300...399: return refused(.webhookRedirected, "; redirects are not followed")
        case 410: return refused(.webhookGone)
        // Too slow, too early, one too many; all other mistakes are the call's.
        case 400...499 where ![408, 425, 429].contains(status): return refused(.webhookRefused)
        default:
            let effect: Effect
            if let retryAfter, retryAfter > .zero {
                effect = .isAway(for: min(retryAfter, longestRetryAfter))
            } else {
                effect = .fails
            }
            return (unavailable("answers \(status)"), effect)
        }
    }

    private static func advice(on failure: TLSFailure) -> String {
        switch failure {
        case .untrusted:
            "check \"ca\", and whether the receiver's certificate has expired or is another host's"
        case .refused: "the receiver refuses this client; certificates of clients are not sent"
        case .noTLS: "check the port: one without TLS is for http://"
        }
    }
}
