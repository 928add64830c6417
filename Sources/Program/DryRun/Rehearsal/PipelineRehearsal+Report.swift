internal import DryRunReport
internal import PipelineConfiguration
internal import PipelineCore
internal import PipelineRuntime
internal import PipelineSimulation
internal import Synchronization

extension RehearsalWorld {
    /// What has come of the rehearsal.
    func report() -> SimulationReport {
        let noted = recorder.current
        var report = SimulationReport(
            pipeline: plan.definition.name, file: plan.definition.file, start: plan.trace.start,
            sla: plan.definition.sla, traceLength: plan.trace.length)
        report.end = .nanoseconds(simulator.now.nanoseconds)
        report.arrivals = plan.trace.arrivals.map(\.at)
        report.cases = cases.times
        report.batches = noted.batches.map { batch in
            var batch = batch
            let first = batch.cases.compactMap { cases.arrival[$0] }.min()
            batch.longestWait = first.map { batch.generation.upperBound - $0 }
            return batch
        }.sorted { ($0.sealedAt, $0.number) < ($1.sealedAt, $1.number) }
        report.waits = noted.answered.compactMap { id, at in cases.arrival[id].map { at - $0 } }
            .sorted()
        if hasGenerator { report.late = noted.late }
        report.stages = stageCounts(noted)
        report.deadLetters = deadLetters(noted)
        if hasGenerator {
            report.generation = GenerationCost(
                runs: noted.batches.count,
                busy: noted.batches.reduce(.zero) { $0 + plan.cost.cost(of: $1.cases.count) },
                single: plan.cost.cost(of: 1) * noted.answered.count)
        }
        report.assumptions = assumptions
        return report
    }

    private var hasGenerator: Bool {
        plan.definition.stages.contains { $0.role == .worker }
    }

    /// Whether a ledger keeps cases, whose batches a worker answers.
    private var hasLedger: Bool {
        let barrier = plan.definition.stages.first { $0.role == .barrier }
        return barrier?.contract.edge(.requests) == .yields(.batches) && hasGenerator
    }

    private var assumptions: [String] {
        var found = [plan.trace.origin, input.description]
        if hasGenerator {
            found.append(
                "a generation run of n cases takes \(plan.cost.text); every case succeeds")
        }
        let limit = plan.definition.stages.lazy.compactMap {
            ($0.settings as? any GeneratingStage)?.maxRunning
        }.first
        let runs = limit.map { ", at most \($0 == 1 ? "1 run" : "\($0) runs") at a time" } ?? ""
        found.append(
            plan.workers == 1
                ? "1 worker\(runs); nothing fails"
                : "\(plan.workers) workers, which hear of each other at once\(runs); nothing fails")
        found.append("buses, stores and caches answer at once")
        return found
    }

    private func stageCounts(_ noted: SimulationRecorder.State) -> [StageCount] {
        var previous = plan.trace.arrivals.count
        var isBehindBarrier = false
        return plan.definition.stages.map { stage in
            let passed: Int
            switch stage.role {
            // A repeat of a case that is known arrives and is settled, but goes no further.
            case .barrier where hasLedger: passed = noted.claimed
            case .worker: passed = noted.generated[stage.id, default: 0]
            case .sink where isBehindBarrier: passed = noted.delivered[stage.id, default: 0]
            default: passed = noted.passed[stage.id, default: 0]
            }
            if stage.role == .barrier { isBehindBarrier = true }
            let count = StageCount(
                id: stage.id, of: type(of: stage.settings), received: previous, passed: passed)
            // A sink hands on what it delivers, and others get the same.
            if !(stage.role == .sink && isBehindBarrier) { previous = passed }
            return count
        }
    }

    private func deadLetters(_ noted: SimulationRecorder.State) -> [DeadLetterCount] {
        var found: [DeadLetterCount] = []
        func add(_ stage: String, _ code: String, _ reason: String) {
            if let index = found.firstIndex(where: { $0.stage == stage && $0.code == code }) {
                found[index].count += 1
            } else {
                found.append(
                    DeadLetterCount(stage: stage, code: code, example: reason, count: 1))
            }
        }
        var letters = lines.values.flatMap(\.rejected)
        if case .topic(_, let topic) = input {
            letters += backend.bus.messages(in: "\(topic).dead-letters").joined()
        }
        for letter in letters {
            func header(_ name: String) -> String {
                let value = letter.headers.first { $0.name == "penstock-\(name)" }?.value ?? []
                return String(decoding: value, as: UTF8.self)
            }
            add(header("stage"), header("code"), header("reason"))
        }
        for rejection in noted.rejections {
            add(rejection.stage, rejection.code.name, rejection.reason)
        }
        return found.sorted { ($0.stage, $0.code) < ($1.stage, $1.code) }
    }
}

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
    func generated(stage: String, _ cases: [Case], took: Duration, committedAt: Timestamp) {
        state.withLock {
            $0.generated[stage, default: 0] += cases.count
            $0.late += cases.count { $0.deadline < committedAt }
        }
    }
    func delivered(stage: String, outcomes: Int, took: Duration) {
        state.withLock { $0.delivered[stage, default: 0] += outcomes }
    }
    func retried(_ what: String) {}
    func generationFailed(stage: String, _ error: PipelineError) {}
}
