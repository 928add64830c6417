internal import Concurrency
internal import PipelineCore
internal import Synchronization

/// Sends commands of concurrent callers together, over a few connections.
///
/// Commands wait in one queue. A connection that is free takes all that is there, as one round
/// trip; what is asked meanwhile goes with the next. So a lone caller does not wait for company,
/// and many share round trips.
final class RedisClient: Sendable {
    private struct State {
        var queue: [RedisCall] = []
        var waitingCommands = 0
        var idleSessions: [Int]
        var breaker = CircuitBreaker()
        var isClosed = false
        /// Whether the server has answered anything.
        var hasWorked = false
        var statistics = RedisCache.Statistics()
    }
    private enum Start {
        case nothing
        case answering(session: Int)
        case connecting(session: Int)
    }

    let configuration: RedisConfiguration
    private let clock: PipelineClock
    private let random: RandomSource
    private let sessions: [RedisSession]
    private let state: Mutex<State>

    init(_ configuration: RedisConfiguration, clock: PipelineClock, random: RandomSource) {
        self.configuration = configuration
        self.clock = clock
        self.random = random
        sessions = (0..<configuration.connections).map { _ in
            RedisSession(configuration, clock: clock)
        }
        state = Mutex(State(idleSessions: Array(sessions.indices.reversed())))
    }

    var isCircuitOpen: Bool { state.withLock { !$0.breaker.isClosed } }
    var statistics: RedisCache.Statistics { state.withLock { $0.statistics } }

    /// Sends the commands in one round trip, in order, without others' between them.
    ///
    /// - Parameter insists: tries even when the server is known to be down.
    /// - Returns: a reply for each command; a refused command does not affect others.
    /// - Throws: ``PipelineError``, retryable; `CancellationError` if cancelled before they were
    ///   sent.
    func send(_ commands: [RedisCommand], insists: Bool = false) async throws -> [RedisReply] {
        let call = RedisCall(commands)
        return try await withTaskCancellationHandler {
            try await suspended { (resumption: Resumption<[RedisReply]>) in
                guard call.begin(resumption) else { return }
                if let error = enqueue(call, insists: insists) { call.finish(.failure(error)) }
            }
        } onCancel: {
            call.cancel()
        }
    }

    /// Refuses further calls, lets what is in flight end, and disconnects.
    func close() async {
        let abandoned = state.withLock { state in
            state.isClosed = true
            return takeAll(&state)
        }
        for call in abandoned { call.finish(.failure(Self.closed)) }
        for session in sessions { try? await session.worker.run { session.disconnect() } }
    }

    private static let closed = PipelineError.retryable(
        .cacheClosed, "the connection to Redis has been closed")

    private func enqueue(_ call: RedisCall, insists: Bool) -> PipelineError? {
        let now = clock.now
        let (start, error): (Start, PipelineError?) = state.withLock { state in
            if state.isClosed { return (.nothing, Self.closed) }
            if !insists {
                switch state.breaker.admit(now: now, canAttempt: !state.idleSessions.isEmpty) {
                case .pass: break
                case .refuse(let error): return (.nothing, error)
                case .refuseAndAttempt(let error):
                    return (.connecting(session: state.idleSessions.removeLast()), error)
                }
            }
            let waiting = state.waitingCommands + call.commands.count
            if state.waitingCommands > 0, waiting > RedisConfiguration.maxWaitingCommands {
                return (.nothing, overloaded)
            }
            state.queue.append(call)
            state.waitingCommands = waiting
            guard let session = state.idleSessions.popLast() else { return (.nothing, nil) }
            return (.answering(session: session), nil)
        }
        switch start {
        case .nothing: break
        case .answering(let session): begin(session) { self.work(session) }
        case .connecting(let session): begin(session) { self.reconnect(session) }
        }
        return error
    }

    /// Without a thread whoever waits is told so: nobody else may come for the session.
    private func begin(_ session: Int, _ body: @escaping @Sendable () -> Void) {
        do { try sessions[session].worker.enqueue(body) } catch {
            state.withLock { $0.idleSessions.append(session) }
            failed(error)
        }
    }

    private var overloaded: PipelineError {
        .retryable(
            .cacheOverloaded,
            "more than \(RedisConfiguration.maxWaitingCommands) commands wait for Redis at"
                + " \(configuration.name)")
    }

    /// Answers what is queued until nothing is, on the session's thread.
    private func work(_ session: Int) {
        while let calls = nextBatch(session) {
            sessions[session].answer(calls, answered: succeeded) { failure in
                // A lost connection may be one server's restart: the next batch finds out at once.
                failure.kind == .lost ? judge(failure.error) : failed(failure.error)
            }
        }
    }

    /// Tries the server after a back-off; nobody waits for it.
    private func reconnect(_ session: Int) {
        do throws(RedisFailure) {
            try sessions[session].connect()
            succeeded()
        } catch {
            failed(error.error)
        }
        work(session)
    }

    /// What to send next; `nil`, and the session is idle, when nothing waits.
    private func nextBatch(_ session: Int) -> [RedisCall]? {
        state.withLock { state in
            var batch: [RedisCall] = []
            var (commands, bytes, taken) = (0, 0, 0)
            for call in state.queue {
                let fits =
                    commands + call.commands.count <= configuration.maxBatchCommands
                    && bytes + call.byteCount <= RedisConfiguration.maxBatchBytes
                if !fits && !batch.isEmpty { break }
                taken += 1
                state.waitingCommands -= call.commands.count
                guard call.take() else { continue }
                batch.append(call)
                commands += call.commands.count
                bytes += call.byteCount
            }
            state.queue.removeFirst(taken)
            if batch.isEmpty {
                state.idleSessions.append(session)
                return nil
            }
            state.statistics.commands += UInt64(commands)
            state.statistics.roundTrips += 1
            return batch
        }
    }

    private func succeeded() {
        state.withLock { state in
            state.hasWorked = true
            if !state.breaker.isClosed { state.breaker.succeeded() }
        }
    }

    /// A mistake ends what asks, unless the server took this process before: then somebody's change
    /// may be taken back.
    func judge(_ error: PipelineError) -> PipelineError {
        guard error.disposition == .fatal, state.withLock(\.hasWorked) else { return error }
        var passing = error
        passing.disposition = .retryable
        return passing
    }

    /// Opens the circuit, and spares those who wait the same experience.
    ///
    /// - Returns: what they are told.
    @discardableResult
    private func failed(_ failure: PipelineError) -> PipelineError {
        let error = judge(failure)
        let (now, jitter) = (clock.now, random.unit())
        let waiting = state.withLock { state in
            state.breaker.failed(error, now: now, jitter: jitter)
            return takeAll(&state)
        }
        for call in waiting { call.finish(.failure(error)) }
        return error
    }

    private func takeAll(_ state: inout State) -> [RedisCall] {
        defer {
            state.queue = []
            state.waitingCommands = 0
        }
        return state.queue
    }
}

/// Decides whether a server that failed is asked again: a pure state machine, without clock or I/O.
///
/// While it is open every call is refused at once, so that nobody waits for a server that is down.
/// When the back-off is over, one attempt is made, beside the calls, which go on being refused
/// until it succeeds.
struct CircuitBreaker: Sendable {
    private enum State {
        /// The server answers, or has not been asked yet. A failure opens.
        case closed
        /// The server failed so often in a row. `until` is when the next attempt may begin.
        case open(failures: Int, until: Instant, error: PipelineError)
        /// An attempt is in flight. Its success closes, its failure opens for longer.
        case attempting(failures: Int, error: PipelineError)
    }

    enum Admission {
        case pass
        case refuse(PipelineError)
        /// Refuse, and begin an attempt: the next admission takes it for begun.
        case refuseAndAttempt(PipelineError)
    }

    private static let shortestBackOff = Duration.milliseconds(50)
    static let longestBackOff = Duration.seconds(5)

    private var state = State.closed

    var isClosed: Bool {
        if case .closed = state { true } else { false }
    }

    /// - Parameter canAttempt: whether somebody is free to make an attempt.
    mutating func admit(now: Instant, canAttempt: Bool) -> Admission {
        switch state {
        case .closed: return .pass
        case .attempting(_, let error): return .refuse(error)
        case .open(let failures, let until, let error):
            guard now >= until, canAttempt else { return .refuse(error) }
            state = .attempting(failures: failures, error: error)
            return .refuseAndAttempt(error)
        }
    }

    mutating func succeeded() { state = .closed }

    /// - Parameter jitter: uniform in 0 ..< 1; shortens the back-off by up to a half.
    mutating func failed(_ error: PipelineError, now: Instant, jitter: Double) {
        let failures: Int
        switch state {
        case .closed: failures = 0
        // Another connection's failure in the same outage.
        case .open(let before, let until, _) where now < until:
            state = .open(failures: before, until: until, error: error)
            return
        case .open(let before, _, _), .attempting(let before, _): failures = before
        }
        let backOff = min(Self.shortestBackOff * (1 << min(failures, 10)), Self.longestBackOff)
        state = .open(
            failures: failures + 1, until: now.advanced(by: backOff * (1 - jitter / 2)),
            error: error)
    }
}
