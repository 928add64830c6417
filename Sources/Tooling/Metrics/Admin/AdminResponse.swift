/// Whether the process can do its work now.
public enum Readiness: Sendable, Hashable {
    case ready
    /// One sentence for a person.
    case notReady(reason: String)
}

/// What a request to the admin port is answered with.
struct AdminResponse: Sendable, Hashable {
    var status: UInt32
    var contentType = "text/plain; charset=utf-8"
    var body: String
}

/// Decides on the answer; knows nothing of HTTP libraries.
struct AdminRoutes: Sendable {
    var registry: MetricRegistry
    var readiness: @Sendable () -> Readiness
    var details: @Sendable () -> String = { "" }

    /// - Parameter isVerbose: whether `/readyz` shall say how each part is.
    func answer(method: String, path: String, isVerbose: Bool = false) -> AdminResponse {
        guard method == "GET" || method == "HEAD" else {
            return AdminResponse(status: 405, body: "only GET and HEAD\n")
        }
        switch path {
        case "/metrics":
            return AdminResponse(
                status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: registry.exposition())
        case "/healthz":
            return AdminResponse(status: 200, body: "alive\n")
        case "/readyz":
            switch readiness() {
            case .ready:
                return AdminResponse(status: 200, body: (isVerbose ? details() : "") + "ready\n")
            case .notReady(let reason):
                let body = isVerbose ? "\(details())not ready\n" : "\(reason)\n"
                return AdminResponse(status: 503, body: body)
            }
        default:
            return AdminResponse(
                status: 404, body: "not found; there are /metrics, /healthz and /readyz\n")
        }
    }
}
