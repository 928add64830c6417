public import Metrics
internal import PipelineCore
internal import Synchronization

/// What a pool tells of its statements and connections.
struct PostgresMetrics: Sendable {
    private let work: Histogram
    private let bulk: Histogram
    private let reading: Histogram
    let lostConnections: Counter

    /// - Parameter server: without credentials.
    init(_ registry: MetricRegistry, server: String) {
        func times(_ purpose: PostgresPool.Purpose) -> Histogram {
            registry.histogram(.databaseSeconds, "postgresql", server, "\(purpose)")
        }
        work = times(.work)
        bulk = times(.bulk)
        reading = times(.reading)
        lostConnections = registry.counter(.lostConnections, server)
    }

    /// How long the statements took.
    func times(of purpose: PostgresPool.Purpose) -> Histogram {
        switch purpose {
        case .work: work
        case .bulk: bulk
        case .reading: reading
        }
    }

    /// Pools that share their connections tell the same of them.
    static func read(_ places: SharedPlaces, _ registry: MetricRegistry, server: String) {
        registry.setGauge(.connections, server, "idle") { [weak places] in
            places.map { Double($0.idleConnections) }
        }
        registry.setGauge(.connections, server, "used") { [weak places] in
            places.map { Double($0.state.withLock(\.pool.lent)) }
        }
        registry.setGauge(.pendingRequests, server) { [weak places] in
            places.map { Double($0.state.withLock(\.pool.waiting)) }
        }
    }
}

extension MetricDeclaration {
    /// Those of PostgreSQL, beside what all databases tell.
    public static let ofPostgres = [connections, pendingRequests, lostConnections]

    fileprivate static let connections = gauge(
        "db_client_connection_count",
        "Connections to PostgreSQL: those in use, and those that wait for the next use.",
        labels: "db_client_connection_pool_name", "db_client_connection_state")
    fileprivate static let pendingRequests = gauge(
        "db_client_connection_pending_requests", "Who waits for a connection to PostgreSQL.",
        labels: "db_client_connection_pool_name")
    fileprivate static let lostConnections = counter(
        "penstock_postgres_lost_connections_total",
        "Connections that the server or the network has ended.", labels: "server_address")
}
