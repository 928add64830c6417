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
        case running(Running)
        case stopping
    }

    private struct Running: Sendable {
        let listener: Listener
        let shards: [ServerShard]
        let threads: [NativeThread]
        let services: [String]
    }

    /// What is left to a call after the grace to be answered that the server is shutting down, and
    /// to its handler to end.
    private static let farewell = Duration.milliseconds(300)

    /// The settings that the server was created with.
    public let configuration: Configuration
    private let runner: any GRPCTaskRunner
    private let metrics: ServerMetrics
    private let openCalls: OpenCalls
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
        openCalls = OpenCalls(limit: configuration.maxConcurrentCalls)
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
            if case .running(let running) = state { running.listener.port } else { 0 }
        }
    }

    /// The full names of the services of which it has methods, sorted; empty unless it is running.
    public var services: [String] {
        state.withLock { state in
            if case .running(let running) = state { running.services } else { [] }
        }
    }

    /// Why new clients can't connect, or not all of them; `nil` while all is well, and unless it is
    /// running.
    public var problem: String? {
        state.withLock { state in
            if case .running(let running) = state { running.listener.problem } else { nil }
        }
    }

    /// Listens and begins to serve. To be called once; again only if it has failed.
    ///
    /// - Parameter kept: what ``stopAccepting()`` of the server before has left.
    /// - Throws: ``GRPCError`` when the address is in use, refused or no address, or when there is
    ///   no thread to be had.
    public func start(on kept: ListeningSockets? = nil) throws(GRPCError) {
        try state.withLock { state throws(GRPCError) in
            guard case .configuring(let methods) = state else {
                preconditionFailure("a server is started once")
            }
            let listener = try Listener(configuration, metrics, on: kept)
            let times = methods.unary.map { metrics.times(of: $0.path) }
            let shards = (0..<max(1, configuration.queues)).map { _ in
                ServerShard(
                    configuration, methods: methods, times: times,
                    connections: listener.connections, openCalls: openCalls, runner: runner)
            }
            metrics.read(listener.connections, openCalls)
            let threads: [NativeThread]
            do throws(GRPCError) { threads = try startThreads(listener, shards) } catch {
                state = .stopping
                stopped.set()
                throw error
            }
            state = .running(
                Running(
                    listener: listener, shards: shards, threads: threads, services: methods.services
                ))
        }
    }

    private func startThreads(
        _ listener: Listener, _ shards: [ServerShard]
    ) throws(GRPCError) -> [NativeThread] {
        var threads: [NativeThread] = []
        do throws(GRPCError) {
            for (number, shard) in shards.enumerated() {
                threads.append(
                    try NativeThread.starting(name: "grpc-server-\(number)") { shard.run() })
            }
            try listener.start(shards)
        } catch {
            let queue = PluckQueue()
            for shard in shards { shard.handle.beginShutdown(queue) }
            for _ in shards { _ = queue.pluck(within: nil) }
            for shard in shards { shard.queue.shutdown() }
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
        let cancelled = AsyncEvent()
        await withTaskCancellationHandler {
            await cancelled.waitIgnoringCancellation()
        } onCancel: {
            cancelled.set()
        }
        await shutdown(grace: grace)
    }

    /// Accepts no more connections, for another server to go on with the address: who connects
    /// meanwhile waits for it. Then comes ``shutdown(grace:)``. Blocks for a moment.
    ///
    /// - Returns: `nil` unless it is running.
    public func stopAccepting() -> ListeningSockets? {
        state.withLock { state in
            if case .running(let running) = state { running.listener.release() } else { nil }
        }
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
        case .running(let running):
            let isDone = Atomic(false)
            await Self.block { [self] in
                isDone.store(end(running, grace: grace), ordering: .releasing)
            }
            stopped.set()
            return isDone.load(ordering: .acquiring)
        }
        return true
    }

    /// Blocks.
    private func end(_ running: Running, grace: Duration) -> Bool {
        running.listener.stop()
        openCalls.close()
        let queue = PluckQueue()
        for shard in running.shards { shard.handle.beginShutdown(queue) }
        var left = running.shards.count
        func isShut(within limit: Duration) -> Bool {
            let end = ContinuousClock.now.advanced(by: limit)
            while left > 0, queue.pluck(within: max(.zero, ContinuousClock.now.duration(to: end))) {
                left -= 1
            }
            return left == 0
        }
        if !isShut(within: grace) {
            openCalls.cancelAll()
            if !isShut(within: Self.farewell) {
                for shard in running.shards { shard.handle.cancelAllCalls() }
                _ = isShut(within: Self.farewell)
            }
        }
        guard left == 0, openCalls.waitUntilDrained(within: Self.farewell) else {
            unsafe _ = Unmanaged.passRetained(
                AbandonedServer(server: self, running: running, queue: queue))
            return false
        }
        for shard in running.shards { shard.end() }
        for thread in running.threads { thread.join() }
        return true
    }

    /// What a handler that did not end may still use.
    private final class AbandonedServer: Sendable {
        private let server: GRPCServer
        private let running: Running
        private let queue: PluckQueue
        init(server: GRPCServer, running: Running, queue: PluckQueue) {
            self.server = server
            self.running = running
            self.queue = queue
        }
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
