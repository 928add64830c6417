internal import DryRunReport
internal import PipelineCore
internal import PipelineRuntime
internal import Synchronization

/// Notes what a simulated pipeline does: its runtime's observer, and the eye of its generator.
final class SimulationRecorder: RuntimeObserver {
    struct State: Sendable {
        var batches: [BatchFigures] = []
        /// Ids that have an outcome, and when it was there.
        var answered: [UUID: Duration] = [:]
        /// Answers that the runtime has found late.
        var late = 0
        /// Cases that have come to a generator.
        var claimed = 0
        /// By stage.
        var passed: [String: Int] = [:]
        var generated: [String: Int] = [:]
        var delivered: [String: Int] = [:]
        /// What callers were refused for.
        var rejections: [Rejection] = []
        var failure: String?
    }
    private let state = Mutex(State())

    var current: State { state.withLock { $0 } }

    /// Whether every case is answered and every sink has delivered the answers.
    func isComplete(cases: Int, sinks: [String]) -> Bool {
        state.withLock { state in
            state.failure != nil
                || state.answered.count >= cases
                    && sinks.allSatisfy { state.delivered[$0, default: 0] >= cases }
        }
    }

    func note(_ batch: BatchFigures) {
        state.withLock { state in
            state.batches.append(batch)
            for id in batch.cases where state.answered[id] == nil {
                state.answered[id] = batch.generation.upperBound
            }
        }
    }
    func note(claimed cases: Int) { state.withLock { $0.claimed += cases } }
    func note(_ rejection: Rejection) { state.withLock { $0.rejections.append(rejection) } }
    func note(failure: String) { state.withLock { $0.failure = $0.failure ?? failure } }

    func passed(stage: String, records: Int, took: Duration) {
        state.withLock { $0.passed[stage, default: 0] += records }
    }
    func generated(stage: String, cases: Int, took: Duration, late: Int) {
        state.withLock {
            $0.generated[stage, default: 0] += cases
            $0.late += late
        }
    }
    func delivered(stage: String, outcomes: Int, took: Duration) {
        state.withLock { $0.delivered[stage, default: 0] += outcomes }
    }
    func retried(_ what: String) {}
    func generationFailed(stage: String, _ error: PipelineError) {}
}
