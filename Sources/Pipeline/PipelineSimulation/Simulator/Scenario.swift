public import PipelineCore
internal import Synchronization

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
