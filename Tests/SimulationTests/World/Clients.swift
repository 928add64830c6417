import PipelineCore
import PipelineSimulation
import Synchronization

/// Users who call until they know that their request will be answered.
final class Clients: Sendable {
    private struct State {
        var open = 0
        var accepted: [UUID] = []
    }
    /// How long a client waits before it calls again.
    private static let patience: Duration = .minutes(3)
    private let simulator: Simulator
    private let audit: Audit
    private let state = Mutex(State())

    init(simulator: Simulator, audit: Audit) {
        self.simulator = simulator
        self.audit = audit
    }

    /// Nobody waits for an answer.
    var isIdle: Bool { state.withLock { $0.open == 0 } }
    /// Whom an outcome was promised.
    var accepted: [UUID] { state.withLock { $0.accepted } }

    func call(_ payload: Bytes, _ worker: @escaping @Sendable () -> Worker?) {
        state.withLock { $0.open += 1 }
        attempt(payload, worker)
    }

    private func attempt(_ payload: Bytes, _ worker: @escaping @Sendable () -> Worker?) {
        guard let reached = worker() else {
            simulator.schedule(after: .seconds(10)) { [self] in attempt(payload, worker) }
            return
        }
        let isAnswered = Shared(false)
        reached.callers.call(payload) { [self] result in
            if isAnswered.withLock({ answered in
                defer { answered = true }
                return answered
            }) {
                return
            }
            answered(payload, result, worker)
        }
        // A connection breaks with its process; as long as that lives, its caller waits.
        watch(reached.process, isAnswered) { [self] in attempt(payload, worker) }
    }

    private func watch(
        _ process: SimulatedProcess, _ isAnswered: Shared<Bool>,
        _ again: @escaping @Sendable () -> Void
    ) {
        simulator.schedule(after: Self.patience) { [self] in
            if isAnswered.current { return }
            if process.isAlive { return watch(process, isAnswered, again) }
            isAnswered.withLock { $0 = true }
            again()
        }
    }

    private func answered(
        _ payload: Bytes, _ result: Result<SubmissionResult, any Error>,
        _ worker: @escaping @Sendable () -> Worker?
    ) {
        switch result {
        case .success(let answer):
            state.withLock { state in
                state.open -= 1
                if case .accepted = answer, let request = Request(payload) {
                    state.accepted.append(request.id)
                }
            }
            if case .rejected(let rejection) = answer, rejection.code != .conflict {
                audit.report("a caller was told \(rejection.code)")
            }
        case .failure(let error as PipelineError) where error.disposition == .fatal:
            audit.report("a caller was told \(error)")
        case .failure:
            simulator.schedule(after: .seconds(10)) { [self] in attempt(payload, worker) }
        }
    }
}
