public import Concurrency
public import Logging
public import PipelineCore
internal import Synchronization

/// What a running pipeline shares: time, randomness, the log, the wish to stop.
public struct RunEnvironment: Sendable {
    public var clock: PipelineClock
    public var random: RandomSource
    public var logger: Logger
    /// Names this process in leases.
    public var worker: String
    public var retry: RetryPolicy
    /// Set when the pipelines shall stop: sources end, what is in flight drains.
    public var stop: AsyncEvent
    /// How long draining may take.
    public var grace: Duration
    public var observer: any RuntimeObserver
    /// What runs, for whoever has to say what hangs.
    public var openWork: OpenWork
    /// Whom this process tells what it has done, where all who work on the same stores can be told.
    public var peers: BarrierPeers?
    /// Everything is held up before anything is begun, until an operator ends it: why, and who says
    /// so. What has no ledger can't be held up.
    public var pauseAtStart: (reason: String, actor: String)?
    /// What fails and is tried again: told of when it begins and when it ends, not at each try.
    public var outages: Outages
    /// How many letters wait in each dead-letter topic of the pipeline, if there are such topics.
    public var letters: (@Sendable () async throws -> [String: Int])?
    let condition = RunCondition()
    let progress = PipelineProgress()
    /// The loop that works with this, if somebody asks how it gets on.
    var loop: LoopProgress?

    public init(
        clock: PipelineClock, random: RandomSource, logger: Logger, worker: String,
        retry: RetryPolicy = RetryPolicy(), stop: AsyncEvent = AsyncEvent(),
        grace: Duration = .seconds(30),
        observer: any RuntimeObserver = SilentObserver(), openWork: OpenWork = OpenWork()
    ) {
        self.clock = clock
        self.random = random
        self.logger = logger
        self.worker = worker
        self.retry = retry
        self.stop = stop
        self.grace = grace
        self.observer = observer
        self.openWork = openWork
        outages = Outages(clock: clock, logger: logger)
    }

    /// Runs `body` until it succeeds or fails for another reason than a retryable one.
    ///
    /// - Parameters:
    ///   - longest: how long one try may take.
    ///   - isWanted: asked after a failure; the error is thrown when nobody waits for a success any
    ///     more.
    ///   - tell: hears each failure, and `nil` when it has succeeded after that.
    func retrying<T>(
        _ what: String, limit: Int = .max, taking longest: Duration = .zero,
        isWanted: () -> Bool = { true },
        whileBlocked tell: (PipelineError?) -> Void = { _ in }, _ body: () async throws -> T
    ) async throws -> T {
        var attempt = 0
        while true {
            loop?.begins(what, within: longest)
            do {
                let result = try await body()
                outages.succeeded(what)
                if attempt > 0 { tell(nil) }
                return result
            } catch let error as PipelineError where error.disposition == .retryable {
                attempt += 1
                observer.retried(what)
                outages.failed(what, error, metadata: ["attempt": "\(attempt)"])
                tell(error)
                if attempt >= limit || !isWanted() { throw error }
                let pause = retry.pause(after: attempt, of: error, random: random)
                loop?.begins(what, within: pause)
                try await clock.sleep(for: pause)
                if !isWanted() { throw error }
            }
        }
    }

    /// Runs `body`, which works until the stop, and again after each retryable failure.
    ///
    /// Such a body may have worked for days before it fails. Once it has worked for as long as the
    /// longest pause, its failures count anew: otherwise every outage of a long life would make the
    /// pauses after all later ones longer.
    /// - Parameters:
    ///   - longest: no pause is longer; the policy's bound by default.
    ///   - tell: hears each failure, and `nil` once it has worked for a while after that, or has
    ///     come to its end.
    func restarting(
        _ what: String, longest: Duration? = nil,
        whileFailing tell: @escaping @Sendable (PipelineError?) -> Void = { _ in },
        _ body: () async throws -> Void
    ) async throws {
        var policy = retry
        policy.longest = min(longest ?? retry.longest, retry.longest)
        var attempt = 0
        while true {
            let start = clock.now
            do {
                if attempt == 0 { return try await body() }
                try await hopeful(what, after: policy.longest, tell, body)
                return tell(nil)
            } catch let error as PipelineError where error.disposition == .retryable {
                if start.duration(to: clock.now) >= policy.longest { attempt = 0 }
                attempt += 1
                observer.retried(what)
                outages.failed(what, error, metadata: ["attempt": "\(attempt)"])
                tell(error)
                let pause = policy.pause(after: attempt, of: error, random: random)
                loop?.begins(what, within: pause)
                try await clock.sleep(for: pause)
            }
        }
    }

    /// Runs a body that has failed before: once it has not failed for so long, its own trouble is
    /// over. It may as well hang, waiting for a backend.
    private func hopeful(
        _ what: String, after wait: Duration,
        _ tell: @escaping @Sendable (PipelineError?) -> Void, _ body: () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await clock.sleep(for: wait)
                outages.isQuiet(what)
                tell(nil)
            }
            try await body()
            group.cancelAll()
        }
    }

    /// Runs `body` unless the stop has been asked for, or comes first; `nil` then.
    ///
    /// A result that arrives together with the stop, or with a cancellation, is kept: nothing that
    /// was taken is lost.
    func unlessStopped<T: Sendable>(
        _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T? {
        if stop.isSet { return nil }
        return try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask {
                do { return try await body() } catch is CancellationError { return nil }
            }
            group.addTask { [stop] in
                do { try await stop.wait() } catch is CancellationError {}
                return nil
            }
            var result = try await group.next() ?? nil
            group.cancelAll()
            while let other = try await group.next() { result = result ?? other }
            if result == nil { try Task.checkCancellation() }
            return result
        }
    }
}

/// Bounded exponential back-off with equal jitter: half of each pause is fixed, the other half
/// random.
public struct RetryPolicy: Sendable {
    /// The longest first pause; half of it is the shortest.
    public var first: Duration
    /// No pause is longer.
    public var longest: Duration
    public init(first: Duration = .milliseconds(100), longest: Duration = .seconds(30)) {
        self.first = first
        self.longest = longest
    }

    /// However long a backend is away, it is tried again so often: what waits for it goes on soon
    /// after it is back.
    static let longestForBackend = Duration.seconds(5)

    /// The pause after the `attempt`th failure, counted from 1, which was that error.
    func pause(after attempt: Int, of error: PipelineError, random: RandomSource) -> Duration {
        let pause = pause(after: attempt, random: random)
        return error.backend == nil ? pause : min(pause, Self.longestForBackend)
    }

    /// The pause after the `attempt`th failure, counted from 1.
    public func pause(after attempt: Int, random: RandomSource) -> Duration {
        var pause = first
        var failures = 1
        while failures < attempt, pause < longest {
            pause = min(pause * 2, longest)
            failures += 1
        }
        return pause * (0.5 + 0.5 * random.unit())
    }
}

/// How a pipeline is, for those who ask whether its process can do its work.
final class RunCondition: Sendable {
    private struct State {
        var blockingError: PipelineError?
        /// When that was told.
        var failedAt: Instant?
        /// Since when it is not tried again; `nil` while it is.
        var gaveUpAt: Instant?
        /// Why inputs are not read, by what they are called.
        var inputs: [String: PipelineError] = [:]
    }
    /// How long a failure is told of after the last try, unless something works before.
    static let memory: Duration = .seconds(10)

    private let state = Mutex(State())

    let hasPrepared = AsyncEvent()
    var isPrepared: Bool { hasPrepared.isSet }

    func prepared() { hasPrepared.set() }

    /// Something fails and is tried again; `nil` when it has succeeded.
    func blocked(by error: PipelineError?, at now: Instant) {
        state.withLock { state in
            state.blockingError = error
            state.failedAt = now
            state.gaveUpAt = nil
        }
    }

    /// Whether the last that is known is a failure, however old.
    var isBlocked: Bool { state.withLock { $0.blockingError != nil } }

    /// It is not tried again, because nobody waits for it any more: whoever comes next finds out. A
    /// process that went on saying that it can't work would be sent nobody, and never find out.
    func gaveUp(at now: Instant) { state.withLock { $0.gaveUpAt = now } }

    /// A backend has answered what it was asked then.
    ///
    /// - Returns: whether the last that is known is a failure for its sake from before that. Who
    ///   tries it again may be in a pause, or have given up.
    func hasHealed(_ backend: Backend, askedAt: Instant) -> Bool {
        state.withLock { state in
            guard let failedAt = state.failedAt else { return false }
            return state.blockingError?.backend == backend && failedAt <= askedAt
        }
    }

    /// An input is not read, though what it is read from can be reached: that has a probe of its
    /// own. `nil` when it is read again.
    func input(_ name: String, standsStillFor error: PipelineError?) {
        state.withLock { $0.inputs[name] = error?.backend == nil ? error : nil }
    }

    /// Which inputs are not read, and why; `nil` while all are.
    var inputProblem: String? {
        let inputs = state.withLock(\.inputs)
        if inputs.isEmpty { return nil }
        return inputs.sorted { $0.key < $1.key }
            .map { "\($0.key) is not read: \($0.value)" }.joined(separator: "; ")
    }

    /// `nil` while all is well, but for its inputs.
    func problem(at now: Instant) -> String? {
        state.withLock { state in
            let isOld = state.gaveUpAt.map { $0.duration(to: now) >= Self.memory } ?? false
            if let blockingError = state.blockingError, !isOld { return blockingError.message }
            return isPrepared ? nil : "is starting"
        }
    }
}
