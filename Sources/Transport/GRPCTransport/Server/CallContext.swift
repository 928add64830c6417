/// What a handler may ask about the call that it answers, while it looks at the request.
///
/// It cannot be kept: what asynchronous work needs must be taken out of it before. Such work is
/// told of a client that went away, or of a deadline that passed, by its task's cancellation.
public struct CallContext: ~Copyable {
    private let request: RequestedCall
    private let connections: Connections
    /// The method's path, for example `/grpc.health.v1.Health/Check`.
    public let path: String

    init(_ request: RequestedCall, path: String, on connections: Connections) {
        self.request = request
        self.connections = connections
        self.path = path
    }

    /// The time until the client gives up, negative when it has; `nil` if it waits for ever.
    public var remaining: Duration? { request.remaining }

    /// The moment at which the client gives up; `nil` if it waits for ever.
    public var deadline: ContinuousClock.Instant? {
        remaining.map { ContinuousClock.now.advanced(by: $0) }
    }

    /// The client's address as gRPC writes it, for example `ipv4:127.0.0.1:40000`.
    public var peer: String {
        let name = unsafe CallHandle.peer(of: request.call)
        return connections.named(name)?.peer ?? name
    }

    /// The first value of a metadata key (in lower case), as text.
    public func metadata(_ key: String) -> String? {
        metadataBytes(key).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The first value of a metadata key (in lower case), as bytes; for keys that end in `-bin`.
    public func metadataBytes(_ key: String) -> [UInt8]? { request.metadata(key).first }
}
