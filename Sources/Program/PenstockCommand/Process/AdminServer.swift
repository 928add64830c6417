internal import Metrics
internal import PipelineCore
internal import Specification

/// The admin endpoint of a process, if it was asked for.
struct AdminServer {
    private let endpoint: AdminEndpoint?

    /// - Parameter address: `host:port`, `:port` or `port`; loopback where no host is named.
    init(_ address: String?, registry: MetricRegistry, monitor: ReadinessMonitor) throws {
        try self.init(
            address, registry: registry, readiness: { monitor.readiness },
            details: { monitor.details })
    }

    private init(
        _ address: String?, registry: MetricRegistry,
        readiness: @escaping @Sendable () -> Readiness, details: @escaping @Sendable () -> String
    ) throws {
        guard let address else {
            endpoint = nil
            return
        }
        let colon = address.lastIndex(of: ":")
        let host = colon.map { String(address[..<$0]) } ?? ""
        let number = colon.map { address[address.index(after: $0)...] } ?? address[...]
        guard let port = UInt16(number) else {
            throw CommandFailure(.usage, "--admin \(address) is not host:port")
        }
        do {
            endpoint = try AdminEndpoint(
                host: host.isEmpty ? "127.0.0.1" : host, port: port, registry: registry,
                readiness: readiness, details: details)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
    }
}
