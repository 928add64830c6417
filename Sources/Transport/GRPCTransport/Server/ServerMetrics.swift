internal import Concurrency
public import Metrics
internal import Synchronization

/// What a server tells of its calls and connections.
struct ServerMetrics: Sendable {
    private let registry: MetricRegistry
    /// As it was configured.
    private let address: String
    let refusedConnections: Counter

    init(_ registry: MetricRegistry, address: String) {
        self.registry = registry
        self.address = address
        refusedConnections = registry.counter(.refusedConnections, address)
    }

    func times(of method: String) -> CallTimes {
        // OpenTelemetry names a method without the path's first slash.
        CallTimes(method: String(method.drop { $0 == "/" }), registry)
    }

    func read(_ connections: Connections, _ openCalls: OpenCalls) {
        registry.setGauge(.connections, address) { [weak connections] in
            connections.map { Double($0.count) }
        }
        registry.setGauge(.openCalls, address) { [weak openCalls] in
            openCalls.map { Double($0.count) }
        }
    }
}

/// How long the calls of a unary method took, by their status.
///
/// The histogram of OK is there from the start; those of errors are made by the first of each.
final class CallTimes: Sendable {
    private let made: [Place]
    private let make: @Sendable (GRPCStatusCode) -> Histogram

    // An array can't hold an atomic itself.
    private final class Place: Sendable {
        let histogram = AtomicLazyReference<Histogram>()
    }

    fileprivate init(method: String, _ registry: MetricRegistry) {
        made = GRPCStatusCode.allCases.map { _ in Place() }
        make = { registry.histogram(.callSeconds, "grpc", method, $0.name) }
        _ = histogram(.ok)
    }

    /// Counts a call.
    ///
    /// - Parameter start: by the monotonic clock, in nanoseconds.
    func ended(_ code: GRPCStatusCode, since start: UInt64) {
        histogram(code).observe(nanoseconds: MonotonicTime.nanosecondsNow - start)
    }

    private func histogram(_ code: GRPCStatusCode) -> Histogram {
        let place = made[Int(code.rawValue)]
        // Two threads that make it at once are given the same one by the registry.
        return place.histogram.load() ?? place.histogram.storeIfNil(make(code))
    }
}

extension MetricDeclaration {
    /// Those of a gRPC server.
    public static let ofGRPCServers = [callSeconds, openCalls, connections, refusedConnections]

    /// By OpenTelemetry's
    /// [conventions](https://opentelemetry.io/docs/specs/semconv/rpc/rpc-metrics/).
    fileprivate static let callSeconds = histogram(
        "rpc_server_call_duration_seconds",
        "Time from a unary call's request to its answer; the waiting of WaitReport included.",
        labels: "rpc_system_name", "rpc_method", "rpc_response_status_code")
    fileprivate static let openCalls = gauge(
        "penstock_grpc_open_calls",
        "Calls that work or wait; those that memory answers at once never do.",
        labels: "server_address")
    fileprivate static let connections = gauge(
        "penstock_grpc_connections", "Connections of clients.", labels: "server_address")
    fileprivate static let refusedConnections = counter(
        "penstock_grpc_refused_connections_total",
        "Connections closed at once, since as many as may be were open and none was idle.",
        labels: "server_address")
}
