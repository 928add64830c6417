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
        case running([(lane: ServerLane, thread: NativeThread)], services: [String], port: Int)
        case stopping
    }

    /// The settings that the server was created with.
    public let configuration: Configuration
    private let runner: any GRPCTaskRunner
    private let handle: ServerHandle
    private let openCalls: OpenCalls
    private let shutdownQueue = PluckQueue()
    private let state = Mutex(State.configuring(ServerMethods()))
    private let stopped = Latch()

    /// Creates a server that does not listen yet.
    ///
    /// - Parameters:
    ///   - configuration: The address and the limits.
    ///   - runner: Starts the asynchronous part of calls.
    public init(
        configuration: Configuration = Configuration(),
        runner: any GRPCTaskRunner = UnstructuredTaskRunner()
    ) {
        self.configuration = configuration
        self.runner = runner
        handle = ServerHandle(configuration.arguments)
        openCalls = OpenCalls(limit: configuration.maxConcurrentCalls)
        handle.add(shutdownQueue)
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
        add { methods in
            methods.unary.append(
                ServerMethods.Unary(
                    path: path, policy: policy,
                    registration: register(path, readsMessage: true), handler: handler))
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
        add { methods in
            methods.streams.append(
                ServerMethods.Stream(
                    path: path, policy: policy,
                    registration: register(path, readsMessage: false), handler: handler))
        }
    }

    private func add(_ change: (inout ServerMethods) -> Void) {
        state.withLock { state in
            guard case .configuring(var methods) = state else {
                preconditionFailure("methods are added before the start")
            }
            change(&methods)
            state = .configuring(methods)
        }
    }

    private func register(_ path: String, readsMessage: Bool) -> RegisteredMethod {
        guard let method = handle.register(path, readsMessage: readsMessage) else {
            preconditionFailure("the method \(path) was added twice")
        }
        return method
    }

    /// The port that the server listens on; 0 unless it is running, and for Unix sockets.
    public var port: Int {
        state.withLock { state in
            if case .running(_, _, let port) = state { port } else { 0 }
        }
    }

    /// The full names of the services of which it has methods, sorted; empty unless it is running.
    public var services: [String] {
        state.withLock { state in
            if case .running(_, let services, _) = state { services } else { [] }
        }
    }

    /// Listens and begins to serve. To be called once; again only if it has failed.
    ///
    /// - Throws: ``GRPCError`` when the address is in use, refused or no address, or when there is
    ///   no thread to be had.
    public func start() throws(GRPCError) {
        try state.withLock { state throws(GRPCError) in
            guard case .configuring(let methods) = state else {
                preconditionFailure("a server is started once")
            }
            let address = try ListenAddress(configuration.address)
            let port = handle.listen(on: configuration.address)
            if port == 0 { throw address.failure() }
            let lanes = (0..<max(1, configuration.queues)).map { _ in
                ServerLane(
                    server: handle, methods: methods, openCalls: openCalls, runner: runner)
            }
            handle.start()
            let threads: [NativeThread]
            do throws(GRPCError) { threads = try startThreads(lanes) } catch {
                state = .stopping
                stopped.open()
                throw error
            }
            state = .running(
                Array(zip(lanes, threads)), services: methods.services, port: port)
        }
    }

    private func startThreads(_ lanes: [ServerLane]) throws(GRPCError) -> [NativeThread] {
        var threads: [NativeThread] = []
        do throws(GRPCError) {
            for (number, lane) in lanes.enumerated() {
                threads.append(try NativeThread(name: "grpc-server-\(number)") { lane.run() })
            }
        } catch {
            handle.shutdown(grace: .zero, queue: shutdownQueue)
            for lane in lanes { lane.queue.shutdown() }
            for thread in threads { thread.join() }
            throw error
        }
        return threads
    }

    /// Serves until the task is cancelled, then shuts down.
    ///
    /// - Parameter grace: See ``shutdown(grace:)``.
    /// - Throws: See ``start()``.
    public func run(grace: Duration) async throws(GRPCError) {
        try start()
        let cancelled = Latch()
        await withTaskCancellationHandler {
            await cancelled.wait()
        } onCancel: {
            cancelled.open()
        }
        await shutdown(grace: grace)
    }

    /// Stops accepting calls, lets those in flight finish, and ends the server's threads.
    ///
    /// Returns when no handler is at work any more: after `grace` calls are cancelled, but a
    /// handler that ignores its task's cancellation is still waited for.
    ///
    /// - Parameter grace: How long calls in flight may go on.
    public func shutdown(grace: Duration) async {
        let previous = state.withLock { state in
            let previous = state
            state = .stopping
            return previous
        }
        switch previous {
        case .stopping: await stopped.wait()
        case .configuring: stopped.open()
        case .running(let lanes, _, _):
            openCalls.close()
            await Self.block { [handle, shutdownQueue] in
                handle.shutdown(grace: grace, queue: shutdownQueue)
            }
            await openCalls.waitUntilDrained()
            for (lane, _) in lanes { lane.queue.shutdown() }
            for (_, thread) in lanes { await Self.block { thread.join() } }
            stopped.open()
        }
    }

    /// Runs a blocking function on a thread of its own.
    private static func block(_ body: @escaping @Sendable () -> Void) async {
        let done = Latch()
        let thread = try? NativeThread(name: "grpc-shutdown") {
            body()
            done.open()
        }
        guard let thread else { return body() }
        await done.wait()
        thread.join()
    }
}
