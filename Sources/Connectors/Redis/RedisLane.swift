internal import Glibc
internal import PipelineCore

/// One connection and its thread.
final class RedisLane: @unchecked Sendable {
    // `connection` and `lastDrop` are touched only by jobs of `worker`, which runs one after the
    // other; whoever releases the last reference is alone.
    private var connection: RedisConnection?
    private var lastDrop: Instant?
    private let configuration: RedisConfiguration
    private let clock: PipelineClock
    let worker = WorkerThread()

    /// A replica that stays read-only must not cost a new connection for each write.
    private static let dropInterval = Duration.seconds(5)

    init(_ configuration: RedisConfiguration, clock: PipelineClock) {
        self.configuration = configuration
        self.clock = clock
        // hiredis writes to sockets that the server may have closed. The signal is this thread's
        // alone.
        worker.enqueue {
            var signals = sigset_t()
            unsafe sigemptyset(&signals)
            unsafe sigaddset(&signals, SIGPIPE)
            unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        }
    }

    /// Connects unless there is a connection that seems good. On the worker only.
    func connect() throws(RedisFailure) {
        if connection?.isStale == false { return }
        connection = nil
        connection = try RedisConnection.open(configuration)
    }

    func disconnect() { connection = nil }

    /// Answers the calls by one round trip, each as soon as its replies are there. On the worker
    /// only.
    ///
    /// - Parameter judge: says of an error whether it may pass.
    /// - Throws: what broke the connection. The calls that were not answered until then have failed
    ///   with it.
    func answer(
        _ calls: [RedisCall], judge: (PipelineError) -> PipelineError
    ) throws(RedisFailure) {
        var next = 0
        var replies: [RedisReply] = []
        var drops = false
        do throws(RedisFailure) {
            try connect()
            try connection!.exchange(calls.flatMap(\.commands)) { reply in
                if case .failed(let error) = reply, error.wantsNewConnection { drops = true }
                replies.append(reply)
                if replies.count == calls[next].commands.count {
                    calls[next].finish(.success(replies))
                    next += 1
                    replies = []
                }
            }
        } catch {
            connection = nil
            for call in calls[next...] { call.finish(.failure(judge(error.error))) }
            throw error
        }
        if drops { dropNowAndThen() }
    }

    private func dropNowAndThen() {
        let now = clock.now
        if let lastDrop, lastDrop.duration(to: now) < Self.dropInterval { return }
        lastDrop = now
        connection = nil
    }
}
