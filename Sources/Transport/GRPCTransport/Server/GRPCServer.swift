internal import Concurrency
public import Metrics
internal import Synchronization

/// A gRPC server over the C core.
///
/// Methods are added first, then ``start()`` listens and serves, and ``shutdown(grace:)`` ends it;
/// ``run(grace:)`` does both for a task's lifetime. A started server lives until it is shut down.
/// Each completion queue has a thread of its own that receives the calls and answers what can be
/// answered at once; the rest goes to tasks. See <https://grpc.github.io/grpc/core/>.
public final class GRPCServer: Sendable {
    private enum State {
        case configuring(ServerMethods)
        case running(RunningServer, services: [String])
        case stopping
    }

    /// The settings that the server was created with.
    public let configuration: Configuration
    private let runner: any GRPCTaskRunner
    private let metrics: ServerMetrics
    private let state = Mutex(State.configuring(ServerMethods()))
    private let stopped = AsyncEvent()

    /// Creates a server that does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: The address and the limits.
    ///   - metrics: Takes the times of calls and the number of connections.
    ///   - runner: Starts the asynchronous part of calls.
    public init(
        configuration: Configuration = Configuration(), metrics: MetricRegistry = MetricRegistry(),
        runner: any GRPCTaskRunner = UnstructuredTaskRunner()
    ) {
        self.configuration = configuration
        self.metrics = ServerMetrics(metrics, address: configuration.address)
        self.runner = runner
    }

    /// Adds a unary method. Only before ``start()``, and once for each path.
    ///
    /// - Parameters:
    ///   - path: `/package.Service/Method`.
    ///   - policy: What becomes of open calls when a shutdown begins.
    ///   - handler: Answers the calls.
    public func unary(
        _ path: String, atShutdown policy: ShutdownPolicy = .finish,
        _ handler: @escaping UnaryHandler
    ) {
        add(path) { methods in
            methods.unary.append(
                ServerMethods.Unary(path: path, policy: policy, handler: handler))
        }
    }

    /// Adds a streaming method. Only before ``start()``, and once for each path.
    ///
    /// - Parameters:
    ///   - path: `/package.Service/Method`.
    ///   - policy: What becomes of open calls when a shutdown begins.
    ///   - handler: Serves a call; it ends when the handler returns or throws.
    public func stream(
        _ path: String, atShutdown policy: ShutdownPolicy = .interrupt,
        _ handler: @escaping StreamHandler
    ) {
        add(path) { methods in
            methods.streams.append(
                ServerMethods.Stream(path: path, policy: policy, handler: handler))
        }
    }

    private func add(_ path: String, _ change: (inout ServerMethods) -> Void) {
        state.withLock { state in
            guard case .configuring(var methods) = state else {
                preconditionFailure("methods are added before the start")
            }
            precondition(!methods.has(path), "the method \(path) was added twice")
            change(&methods)
            state = .configuring(methods)
        }
    }

    /// The port that the server listens on; 0 unless it is running, and for Unix sockets.
    public var port: Int {
        state.withLock { state in
            if case .running(let running, _) = state { running.listener.port } else { 0 }
        }
    }

    /// The full names of the services of which it has methods, sorted; empty unless it is running.
    public var services: [String] {
        state.withLock { state in
            if case .running(_, let services) = state { services } else { [] }
        }
    }

    /// Why new clients can't connect, or not all of them; `nil` while all is well, and unless it is
    /// running.
    public var problem: String? {
        state.withLock { state in
            if case .running(let running, _) = state { running.listener.problem } else { nil }
        }
    }

    /// Listens and begins to serve. To be called once; again only if it has failed.
    ///
    /// - Parameter held: what ``hold(grace:)`` of the server before has left. Its connections go
    ///   on with this server if the two have the same settings and methods, and end otherwise.
    /// - Throws: ``GRPCError`` when the address is in use, refused or no address, or when there is
    ///   no thread to be had.
    public func start(on held: HeldServer? = nil) throws(GRPCError) {
        try state.withLock { state throws(GRPCError) in
            guard case .configuring(let methods) = state else {
                preconditionFailure("a server is started once")
            }
            if let (running, served) = held?.take(for: configuration, methods) {
                metrics.read(running.listener.connections, served.openCalls)
                state = .running(running, services: methods.services)
                return
            }
            held?.end()
            state = .running(
                try RunningServer(configuration, methods, metrics, runner),
                services: methods.services)
        }
    }

    /// Serves until the task is cancelled, then shuts down.
    ///
    /// - Parameter grace: See ``shutdown(grace:)``.
    /// - Throws: See ``start()``.
    public func run(grace: Duration) async throws(GRPCError) {
        try start()
        let cancelled = AsyncEvent()
        await withTaskCancellationHandler {
            await cancelled.waitIgnoringCancellation()
        } onCancel: {
            cancelled.set()
        }
        await shutdown(grace: grace)
    }

    /// Lets calls in flight finish as ``shutdown(grace:)`` does, and goes on with its connections:
    /// calls that come wait for the server that starts on what is left here, and who connects is
    /// accepted. Nobody is turned away.
    ///
    /// - Parameter grace: See ``shutdown(grace:)``.
    /// - Returns: `nil` unless it is running.
    public func hold(grace: Duration) async -> HeldServer? {
        let running = state.withLock { state -> RunningServer? in
            guard case .running(let running, _) = state else { return nil }
            state = .stopping
            return running
        }
        guard let running else { return nil }
        let next = OpenCalls(limit: configuration.maxConcurrentCalls)
        let former = running.router.hold(in: next)
        await Self.block { former?.drain(grace: grace, farewell: RunningServer.farewell) }
        stopped.set()
        return HeldServer(configuration, running)
    }

    /// Takes no more calls, lets those in flight finish, and ends the server's threads.
    ///
    /// After `grace` the tasks of calls in flight are cancelled, and their clients told that the
    /// server is shutting down; a handler that does not listen to that is not waited for. Its call
    /// ends with the connection, and what the server holds stays in memory, since the handler may
    /// still use it.
    ///
    /// - Parameter grace: How long calls in flight may go on. The method returns less than a second
    ///   after it.
    /// - Returns: whether every handler has ended.
    @discardableResult
    public func shutdown(grace: Duration) async -> Bool {
        let previous = state.withLock { state in
            let previous = state
            state = .stopping
            return previous
        }
        switch previous {
        case .stopping: await stopped.waitIgnoringCancellation()
        case .configuring: stopped.set()
        case .running(let running, _):
            let isDone = Atomic(false)
            await Self.block { isDone.store(running.end(grace: grace), ordering: .releasing) }
            stopped.set()
            return isDone.load(ordering: .acquiring)
        }
        return true
    }

    /// Runs a blocking function on a thread of its own.
    private static func block(_ body: @escaping @Sendable () -> Void) async {
        let done = AsyncEvent()
        let thread = try? NativeThread(name: "grpc-shutdown") {
            body()
            done.set()
        }
        // Without a thread to be had the caller's must do.
        guard let thread else { return body() }
        await done.waitIgnoringCancellation()
        thread.join()
    }
}
