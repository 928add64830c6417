import Calendar
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

/// What arrives in a world, and when.
struct Traffic: Sendable {
    enum Way: Sendable {
        case topic
        case call
    }
    struct Arrival: Sendable {
        var at: Instant
        var way: Way
        var key: Bytes
        var payload: Bytes
    }
    /// In order of time.
    private(set) var arrivals: [Arrival] = []

    init(_ plan: WorldPlan, _ random: inout SplitMix64) {
        let horizon = plan.horizon.wholeNanoseconds
        // Half of them come in bursts, so that batches fill and processes race for them.
        let bursts = (0..<4).map { _ in Int64.random(in: 0..<horizon, using: &random) }
        let times = (0..<plan.requests).map { _ in
            Bool.random(using: &random)
                ? Int64.random(in: 0..<horizon, using: &random)
                : min(
                    horizon - 1,
                    bursts.randomElement(using: &random)!
                        + .random(in: 0..<2_000_000_000, using: &random))
        }
        var known: [Request] = []
        for time in times.sorted() {
            let at = Instant(nanoseconds: time)
            let way: Way = Self.chance(plan.calls, &random) ? .call : .topic
            if Self.chance(plan.malformed, &random), way == .topic {
                let text = Array("gibberish \(random.next())".utf8)[...]
                arrivals.append(Arrival(at: at, way: way, key: text, payload: text))
                continue
            }
            let request = Self.request(plan, at: at, known, &random)
            known.append(request)
            arrivals.append(
                Arrival(at: at, way: way, key: request.key, payload: request.payload))
        }
    }

    private static func request(
        _ plan: WorldPlan, at now: Instant, _ known: [Request], _ random: inout SplitMix64
    ) -> Request {
        if let earlier = known.suffix(12).randomElement(using: &random) {
            if chance(plan.repeats, &random) { return earlier }
            if chance(plan.conflicts, &random) {
                return Request(id: earlier.id, deadline: earlier.deadline, text: "something else")
            }
        }
        let text =
            chance(plan.poison, &random)
            ? "poison" : chance(plan.refused, &random) ? "refused" : "product \(random.next() % 9)"
        let deadline =
            Bool.random(using: &random)
            ? 0
            : Int(now.nanoseconds / 1_000_000_000)
                + .random(in: 600...Int(plan.latestDeadline.components.seconds), using: &random)
        return Request(id: UUID(using: &random), deadline: deadline, text: text)
    }

    private static func chance(_ share: Double, _ random: inout SplitMix64) -> Bool {
        Double.random(in: 0..<1, using: &random) < share
    }
}
