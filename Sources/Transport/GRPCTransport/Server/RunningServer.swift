internal import Concurrency
internal import Synchronization

/// What serves: the listener, the shards with their connections, and who answers their calls.
final class RunningServer: Sendable {
    /// What is left to a call after the grace to be answered that the server is shutting down, and
    /// to its handler to end.
    static let farewell = Duration.milliseconds(300)

    let listener: Listener
    let router: CallRouter
    private let shards: [ServerShard]
    private let threads: [NativeThread]
    private let paths: [String]

    /// Listens and begins to serve.
    init(
        _ configuration: GRPCServer.Configuration, _ methods: ServerMethods,
        _ metrics: ServerMetrics, _ runner: any GRPCTaskRunner
    ) throws(GRPCError) {
        listener = try Listener(configuration, metrics)
        let openCalls = OpenCalls(limit: configuration.maxConcurrentCalls)
        router = CallRouter(ServedMethods(methods, openCalls))
        paths = methods.paths
        let times = methods.unary.map { metrics.times(of: $0.path) }
        shards = (0..<max(1, configuration.queues)).map { [router, listener] _ in
            ServerShard(
                configuration, methods: methods, times: times, router: router,
                connections: listener.connections, runner: runner)
        }
        metrics.read(listener.connections, openCalls)
        threads = try Self.start(listener, shards)
    }

    private static func start(
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

    /// Goes on with other handlers, which take the calls that wait.
    ///
    /// - Returns: `nil` for other methods than those that it serves, and unless calls wait.
    func resume(with methods: ServerMethods) -> ServedMethods? {
        methods.paths == paths ? router.resume(with: methods) : nil
    }

    /// Shuts down. Blocks.
    ///
    /// - Returns: whether every handler has ended; what others may still use stays in memory.
    func end(grace: Duration) -> Bool {
        listener.stop()
        let openCalls = router.openCalls
        let queue = PluckQueue()
        // Clients hear that the connection ends before those that wait are answered: who calls
        // again at once, does so elsewhere. The C core would end such a call with CANCELLED.
        for shard in shards { shard.handle.beginShutdown(queue) }
        openCalls.close()
        var left = shards.count
        func isShut(within limit: Duration) -> Bool {
            let end = ContinuousClock.now.advanced(by: limit)
            while left > 0, queue.pluck(within: max(.zero, ContinuousClock.now.duration(to: end))) {
                left -= 1
            }
            return left == 0
        }
        let graceEnd = ContinuousClock.now.advanced(by: grace)
        while !isShut(within: min(Self.farewell, ContinuousClock.now.duration(to: graceEnd))),
            ContinuousClock.now < graceEnd
        {
            // A call that comes just as the shutdown begins may get lost in the C core, which then
            // waits for its end: nobody has it.
            if openCalls.count == 0, shards.allSatisfy(\.isIdle) { cancelAllCalls() }
        }
        if left > 0 {
            openCalls.cancelAll()
            if !isShut(within: Self.farewell) {
                cancelAllCalls()
                _ = isShut(within: Self.farewell)
            }
        }
        guard left == 0, openCalls.waitUntilDrained(within: Self.farewell) else {
            unsafe _ = Unmanaged.passRetained(AbandonedServer(running: self, queue: queue))
            return false
        }
        for shard in shards { shard.end() }
        for thread in threads { thread.join() }
        return true
    }

    private func cancelAllCalls() { for shard in shards { shard.handle.cancelAllCalls() } }

    /// What a handler that did not end may still use.
    private final class AbandonedServer: Sendable {
        private let running: RunningServer
        private let queue: PluckQueue
        init(running: RunningServer, queue: PluckQueue) {
            self.running = running
            self.queue = queue
        }
    }
}

/// A server between two: its connections are kept, new ones are accepted, and calls wait for the
/// server that goes on with it. Ends when nobody does.
public final class HeldServer: Sendable {
    private let configuration: GRPCServer.Configuration
    private let running: Mutex<RunningServer?>

    init(_ configuration: GRPCServer.Configuration, _ running: RunningServer) {
        self.configuration = configuration
        self.running = Mutex(running)
    }

    deinit { end() }

    /// - Returns: `nil` for a server of other settings or methods.
    func take(
        for other: GRPCServer.Configuration, _ methods: ServerMethods
    ) -> (running: RunningServer, served: ServedMethods)? {
        guard other == configuration else { return nil }
        return running.withLock { running in
            guard let taken = running, let served = taken.resume(with: methods) else { return nil }
            running = nil
            return (taken, served)
        }
    }

    /// Ends it, if it is there: those who wait are told that the server is shutting down. Blocks
    /// for a moment.
    public func end() {
        guard let running = running.withLock({ $0.take() }) else { return }
        _ = running.end(grace: .zero)
    }
}
