internal import Concurrency
public import PipelineCore
internal import Synchronization

/// One operating-system process of a simulated world: what runs in it can be killed at any job, and
/// paused.
///
/// A kill is not a cancellation, since `catch` and `defer` would still run: the process's jobs are
/// parked for good. Therefore nothing that may wait (an actor, a task) may be shared between
/// processes.
public final class SimulatedProcess: TaskExecutor {
    private enum Life { case alive, dead, ghost }
    /// What others may have to know of a process.
    public enum Change: Sendable {
        /// Killed, or at its end.
        case gone
        case paused(for: Duration)
    }
    private struct State {
        var life = Life.alive
        var resumesAt: Instant?
        var held: [UnownedJob] = []
        var root: Task<Void, Never>?
        var isFinished = false
        var jobs = 0
        var killAt: (job: Int, killed: @Sendable () -> Void)?
        var observers: [@Sendable (Change) -> Void] = []
    }

    /// The process that the current task belongs to; `nil` outside of simulated processes.
    @TaskLocal public static var current: SimulatedProcess?

    public let name: String
    /// Tells processes apart in the history's fingerprint.
    let number: Int
    public let simulator: Simulator
    /// How far the process's civil clock is ahead of the world's.
    public let skew: Duration
    private let state = Mutex(State())

    public init(
        _ name: String, number: Int = 0, in simulator: Simulator, skew: Duration = .zero
    ) {
        self.name = name
        self.number = number
        self.simulator = simulator
        self.skew = skew
    }

    public var isAlive: Bool { state.withLock { $0.life == .alive } }
    /// Neither dead nor paused.
    var isResponsive: Bool { state.withLock { $0.life == .alive && $0.resumesAt == nil } }
    var isGhost: Bool { state.withLock { $0.life == .ghost } }
    /// Jobs run so far.
    public var jobs: Int { state.withLock { $0.jobs } }

    public func enqueue(_ job: consuming ExecutorJob) {
        simulator.enqueue(UnownedJob(job), on: self)
    }

    func runOrHold(_ job: UnownedJob) {
        let (runs, killed): (Bool, (@Sendable () -> Void)?) = state.withLock { state in
            var killed: (@Sendable () -> Void)?
            if state.life == .alive, state.resumesAt == nil {
                state.jobs += 1
                if let plan = state.killAt, plan.job <= state.jobs {
                    state.life = .dead
                    state.killAt = nil
                    killed = plan.killed
                }
            }
            if state.life == .dead || state.resumesAt != nil {
                state.held.append(job)
                return (false, killed)
            }
            return (true, nil)
        }
        if let killed {
            notify(.gone)
            killed()
        }
        if runs { unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    /// Starts the process's main task; `ended` hears how it ended, if it was not killed.
    public func start(
        _ body: @escaping @concurrent @Sendable () async throws -> Void,
        ended: @escaping @Sendable ((any Error)?) -> Void
    ) {
        let task = Task(executorPreference: self) { [self] in
            await Self.$current.withValue(self) {
                await OwnExecutor.$current.withValue(self) {
                    var failure: (any Error)?
                    do { try await body() } catch { failure = error }
                    self.finish()
                    ended(failure)
                }
            }
        }
        state.withLock { $0.root = task }
    }

    private func finish() {
        let wasAlive = state.withLock { state in
            state.isFinished = true
            defer { if state.life == .alive { state.life = .dead } }
            return state.life == .alive
        }
        if wasAlive { notify(.gone) }
    }

    /// kill -9 just before the `job`th job from the start, that is: at a chosen `await`.
    public func kill(atJob job: Int, _ killed: @escaping @Sendable () -> Void) {
        state.withLock { $0.killAt = (job, killed) }
    }

    /// SIGSTOP: alive, but nothing runs for a while; leases run out meanwhile.
    public func pause(for duration: Duration) {
        let end = simulator.now.advanced(by: duration)
        let isAlive = state.withLock { state in
            // What a reaped process leaves behind must be able to unwind.
            guard state.life == .alive else { return false }
            state.resumesAt = end
            return true
        }
        guard isAlive else { return }
        notify(.paused(for: duration))
        simulator.schedule(at: end) { [self] in
            let held: [UnownedJob] = state.withLock { state in
                guard state.life == .alive, state.resumesAt == end else { return [] }
                state.resumesAt = nil
                defer { state.held = [] }
                return state.held
            }
            for job in held { simulator.enqueue(job, on: self) }
        }
    }

    /// Pauses at this very `await`.
    public func stall(for duration: Duration) async {
        pause(for: duration)
        await Task.yield()
    }

    /// Calls `observer` at every change of the process's life.
    public func observe(_ observer: @escaping @Sendable (Change) -> Void) {
        state.withLock { $0.observers.append(observer) }
    }

    private func notify(_ change: Change) {
        for observer in state.withLock({ $0.observers }) { observer(change) }
    }

    /// After the verdict: cancels what the process left behind and lets it unwind, to free its
    /// memory.
    ///
    /// - Returns: whether it came to its end. Something that did not waits for what no cancellation
    ///   reaches.
    @discardableResult
    public func reap() -> Bool {
        let (root, held): (Task<Void, Never>?, [UnownedJob]) = state.withLock { state in
            state.life = .ghost
            state.resumesAt = nil
            defer {
                state.held = []
                state.root = nil
            }
            return (state.root, state.held)
        }
        root?.cancel()
        for job in held { simulator.enqueue(job, on: self) }
        while simulator.runOne() {}
        return root == nil || state.withLock { $0.isFinished }
    }
}

extension SimulatedProcess: TimeSource {
    /// The clock to hand to what runs in the process.
    public var clock: PipelineClock { PipelineClock(self) }
    public var now: Instant { simulator.now }
    public var timestamp: Timestamp { simulator.timestamp.advanced(by: skew) }

    public func sleep(until deadline: Instant) async throws {
        try await suspend { [self] resume in
            simulator.schedule(at: deadline, owner: self) { resume(.success(())) }
        }
    }
}

extension Simulator {
    /// The world's civil time, which shared stores go by.
    public var timestamp: Timestamp {
        Timestamp(microseconds: epoch.microseconds + now.nanoseconds / 1000)
    }
}

/// The world's clock, for what belongs to no process and never sleeps.
public struct WorldTime: TimeSource {
    private let simulator: Simulator
    public init(_ simulator: Simulator) { self.simulator = simulator }
    public var now: Instant { simulator.now }
    public var timestamp: Timestamp { simulator.timestamp }
    public func sleep(until deadline: Instant) async throws {
        preconditionFailure("a store does not sleep")
    }
}

/// Runs asynchronous code that never waits for anything, to its end, on the calling thread.
///
/// For the world's own looks into a store, between two jobs of the simulation.
public enum ImmediateTask {
    /// - Throws: what `body` throws. Traps if it waits.
    public static func run<T: Sendable>(
        _ body: @escaping @concurrent @Sendable () async throws -> T
    ) throws -> T {
        let executor = ImmediateExecutor()
        let result = Answer<T>()
        _ = Task(executorPreference: executor) {
            do {
                let value = try await body()
                result.set(.success(value))
            } catch {
                result.set(.failure(error))
            }
        }
        executor.drain()
        guard let answer = result.value else { preconditionFailure("it waited for something") }
        return try answer.get()
    }
}

private final class Answer<T: Sendable>: Sendable {
    private let state = Mutex<Result<T, any Error>?>(nil)
    var value: Result<T, any Error>? { state.withLock { $0 } }
    func set(_ value: Result<T, any Error>) { state.withLock { $0 = value } }
}

private final class ImmediateExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    func drain() {
        while let job = jobs.withLock({ $0.popLast() }) {
            unsafe job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
