internal import Protobuf
internal import Synchronization

/// The standard health service, `grpc.health.v1.Health`.
///
/// The service with the empty name stands for the whole server.
/// See <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>.
public final class HealthService: Sendable {
    /// Whether a service can be used.
    public enum Status: Sendable, Equatable {
        /// It can.
        case serving
        /// It cannot, for the time being.
        case notServing
    }

    private struct State {
        var statuses: [String: Status]
        var nextWatcher: UInt64 = 0
        var watchers: [UInt64: Watcher] = [:]
    }

    private struct Watcher {
        let service: String
        let continuation: AsyncStream<Status?>.Continuation
    }

    private let state: Mutex<State>

    /// Creates the service.
    ///
    /// - Parameter statuses: The services, by their full names, and how they are.
    public init(_ statuses: [String: Status] = ["": .serving]) {
        state = Mutex(State(statuses: statuses))
    }

    /// Changes the status of a service, which may be new, and tells those who watch it.
    ///
    /// - Parameters:
    ///   - status: How it is; `nil` makes it an unknown service.
    ///   - service: Its full name.
    public func set(_ status: Status?, for service: String) {
        state.withLock { state in
            if state.statuses[service] == status { return }
            state.statuses[service] = status
            // Told inside the lock, so that every watcher sees the changes in their order.
            for watcher in state.watchers.values where watcher.service == service {
                watcher.continuation.yield(status)
            }
        }
    }

    /// Says that nothing can be used any more: before a shutdown, so that load balancers turn away.
    public func setAllNotServing() {
        for service in state.withLock({ Array($0.statuses.keys) }) {
            set(.notServing, for: service)
        }
    }

    /// The status of a service; `nil` if it is unknown.
    public func status(of service: String) -> Status? {
        state.withLock { $0.statuses[service] }
    }

    /// The status of a service now and after every change. A slow reader gets the newest only.
    fileprivate func watch(_ service: String) -> AsyncStream<Status?> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: Status?.self, bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = Watcher(
                service: service, continuation: continuation)
            continuation.yield(state.statuses[service])
            return state.nextWatcher
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.watchers.removeValue(forKey: number) }
        }
        return stream
    }
}

extension GRPCServer {
    /// Adds the health service. Only before ``start()``.
    public func add(_ health: HealthService) {
        unary(Grpc_Health_V1_HealthMethods.check) {
            (request, _) throws(GRPCStatusError) -> UnaryAnswer<Grpc_Health_V1_HealthCheckResponse>
            in
            guard let status = health.status(of: request.service) else {
                throw GRPCStatusError(.notFound, "there is no service \(request.service)")
            }
            return .reply(.with { $0.status = status.message })
        }
        stream(Grpc_Health_V1_HealthMethods.watch) { stream throws(GRPCStatusError) in
            let request = try await stream.receiveRequest()
            var last: HealthService.Status??
            for await status in health.watch(request.service) where last != .some(status) {
                last = .some(status)
                try await stream.send(.with { $0.status = status?.message ?? .serviceUnknown })
            }
            throw .cancelled()
        }
    }
}

extension HealthService.Status {
    fileprivate var message: Grpc_Health_V1_HealthCheckResponse.ServingStatus {
        switch self {
        case .serving: .serving
        case .notServing: .notServing
        }
    }
}
