internal import Glibc
public import PipelineCore
internal import Synchronization

/// Runs everything of one simulated world on the calling thread, in an order and at times that a
/// seed decides.
///
/// Whatever can run is run before time moves, one job at a time, chosen by the seed; then time
/// jumps to the next timer. Equal seeds give equal runs, byte for byte, as long as nothing escapes:
/// no `Task {}`, no sleep but the injected clock's, no order taken from a Set or a Dictionary.
public final class Simulator: Sendable {
    /// Why ``run(until:stop:)`` returned.
    public enum End: Sendable {
        /// The condition said so.
        case stopped
        /// Nothing is left that could ever run: a deadlock, if work is left.
        case idle
        /// The next timer lies behind the limit.
        case limit
    }

    private let state: Mutex<SimulatorState>
    private let thread = pthread_self()
    private let slack: Duration
    /// The world's civil time at its beginning.
    let epoch: Timestamp

    /// - Parameters:
    ///   - slack: timers that are due within a random part of it fire together. Jobs take no
    ///     virtual time: without slack every timer would find a world at rest, and races with
    ///     time-outs would not exist.
    ///   - epoch: the world's civil time at its beginning; 2026-01-01T00:00:00Z unless said
    ///     otherwise.
    public init(
        seed: UInt64, slack: Duration = .milliseconds(1),
        epoch: Timestamp = Timestamp(microseconds: 1_767_225_600_000_000)
    ) {
        self.slack = slack
        self.epoch = epoch
        state = Mutex(SimulatorState(seed: seed))
    }

    public var now: Instant { state.withLock { $0.now } }
    /// Jobs run so far.
    public var steps: Int { state.withLock { $0.steps } }
    /// Enqueues that came from another thread: each one is a hole in the simulation.
    public var foreignJobs: Int { state.withLock { $0.foreignJobs } }
    /// What has been logged and decided so far.
    public var history: History { state.withLock { $0.history } }

    /// Notes a line in the history, with the time and the number of the step.
    public func log(_ line: @autoclosure () -> String) {
        guard let prefix = state.withLock({ $0.history.isOpen ? ($0.now, $0.steps) : nil })
        else { return }
        let text = "\(prefix.0.nanoseconds / 1000) \(prefix.1) \(line())"
        state.withLock { $0.history.append(text) }
    }

    /// Ends the history: what follows is tidying up.
    public func closeHistory() { state.withLock { $0.history.isOpen = false } }

    /// Uniform in 0 ..< bound.
    public func below(_ bound: Int) -> Int { state.withLock { $0.below(bound) } }
    /// Uniform in 0 ..< 1.
    public func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
    /// Uniform between the two.
    public func duration(_ range: ClosedRange<Duration>) -> Duration {
        range.lowerBound + (range.upperBound - range.lowerBound) * unit()
    }
    public func next() -> UInt64 { state.withLock { $0.random.next() } }
    /// True in that share of calls.
    public func chance(_ share: Double) -> Bool { share > 0 && unit() < share }

    /// Runs `action` on the simulator's thread at `deadline`, unless its owner has been killed by
    /// then.
    /// - Returns: a number to cancel it by.
    @discardableResult
    public func schedule(
        at deadline: Instant, owner: SimulatedProcess? = nil,
        _ action: @escaping @Sendable () -> Void
    ) -> UInt64 {
        state.withLock { $0.schedule(at: deadline, owner: owner, action) }
    }

    /// Runs `action` on the simulator's thread that much later.
    @discardableResult
    public func schedule(
        after delay: Duration, owner: SimulatedProcess? = nil,
        _ action: @escaping @Sendable () -> Void
    ) -> UInt64 {
        schedule(at: now.advanced(by: delay), owner: owner, action)
    }

    /// - Returns: whether it had neither run nor been cancelled.
    @discardableResult
    public func cancel(_ timer: UInt64) -> Bool { state.withLock { $0.cancel(timer) } }

    func enqueue(_ job: UnownedJob, on process: SimulatedProcess) {
        let isForeign = pthread_equal(thread, pthread_self()) == 0
        state.withLock { state in
            if isForeign { state.foreignJobs += 1 }
            state.ready.append(SimulatorState.Ready(job: job, process: process))
        }
    }

    /// Runs one runnable job, chosen by the seed; false when there is none.
    func runOne() -> Bool {
        guard let chosen = state.withLock({ $0.choose() }) else { return false }
        chosen.process.runOrHold(chosen.job)
        return true
    }

    /// Runs until `stop` says so, until nothing can run any more, or up to `limit`.
    public func run(until limit: Instant, stop: () -> Bool = { false }) -> End {
        while true {
            while runOne() { if stop() { return .stopped } }
            let due = state.withLock { $0.takeDue(before: limit, slack: slack) }
            switch due {
            case .idle: return .idle
            case .limit: return .limit
            case .actions(let actions):
                for action in actions { action() }
            }
            if stop() { return .stopped }
        }
    }

    /// Forgets everything that was to come, after the verdict.
    public func discard() { state.withLock { $0.timers = TimerQueue() } }
}

/// How a scenario ended.
public struct ScenarioResult: Sendable {
    public var end: Simulator.End
    /// Whether the body came to its end.
    public var isCompleted: Bool
    /// What it threw.
    public var error: String?
    public var foreignJobs: Int
    public var history: History

    /// What is wrong with it; `nil` if nothing is.
    public var failure: String? {
        if foreignJobs > 0 { return "\(foreignJobs) jobs escaped" }
        if let error { return error }
        return isCompleted ? nil : end == .idle ? "deadlock" : "not finished in time"
    }
}

/// Runs `body` as one simulated process, until it ends, nothing can run any more, or `limit` has
/// passed.
public func runScenario(
    seed: UInt64, slack: Duration = .milliseconds(1), limit: Duration = .hours(1),
    _ body: @escaping @concurrent @Sendable (SimulatedProcess) async throws -> Void
) -> ScenarioResult {
    let simulator = Simulator(seed: seed, slack: slack)
    let process = SimulatedProcess("scenario", in: simulator)
    let outcome = ScenarioOutcome()
    process.start({ try await body(process) }) { error in
        outcome.finish(error)
    }
    let end = simulator.run(until: Instant(nanoseconds: 0).advanced(by: limit))
    simulator.closeHistory()
    let (isCompleted, error) = outcome.state.withLock { $0 }
    if !isCompleted { process.reap() }
    return ScenarioResult(
        end: end, isCompleted: isCompleted, error: error, foreignJobs: simulator.foreignJobs,
        history: simulator.history)
}

private final class ScenarioOutcome: Sendable {
    let state = Mutex<(isCompleted: Bool, error: String?)>((false, nil))
    func finish(_ error: (any Error)?) {
        state.withLock { $0 = (true, error.map { "\($0)" }) }
    }
}
