internal import PipelineCore
internal import Synchronization

/// How far the loops of a pipeline have come, for whoever asks whether it is stuck.
///
/// A loop says what it begins, and how long that may take. One that is ``patience`` late is stuck:
/// work waits for it, and only a new start of the process helps. A loop with nothing to do begins
/// nothing, and what fails and is tried again gets on: of that tell probes and the log.
public final class PipelineProgress: Sendable {
    /// How late a step may be.
    public static let patience: Duration = .minutes(5)

    private struct Step {
        var what: String
        var since: Instant
        var limit: Duration
    }
    private let steps = Mutex<[String: Step]>([:])

    fileprivate func begin(_ what: String, of loop: String, at now: Instant, limit: Duration) {
        steps.withLock { $0[loop] = Step(what: what, since: now, limit: limit) }
    }

    fileprivate func rest(_ loop: String) { steps.withLock { $0[loop] = nil } }

    /// What is stuck and for how long, in words; `nil` while all gets on.
    ///
    /// - Parameter since: what the loops use can be reached since then, and time counts from there.
    func stuck(at now: Instant, reachableSince since: Instant) -> String? {
        let late = steps.withLock { steps in
            steps.values.filter { step in
                max(step.since, since).duration(to: now) > step.limit + Self.patience
            }
        }
        if late.isEmpty { return nil }
        return late.sorted { ($0.since, $0.what) < ($1.since, $1.what) }.map { step in
            let taken = step.since.duration(to: now).components.seconds
            let limit = step.limit.components.seconds
            return "\(step.what) has not ended for \(taken) s"
                + (limit > 0 ? "; it may take \(limit) s" : "")
        }.joined(separator: ", ")
    }
}

/// What one loop tells of its progress.
struct LoopProgress: Sendable {
    fileprivate let name: String
    fileprivate let progress: PipelineProgress
    fileprivate let clock: PipelineClock

    /// The loop begins something, and has ended what it did before.
    ///
    /// - Parameter limit: how long that may take.
    func begins(_ what: String, within limit: Duration = .zero) {
        progress.begin(what, of: name, at: clock.now, limit: limit)
    }

    /// It waits for others to give it something to do.
    func rests() { progress.rest(name) }
}

extension RunEnvironment {
    /// Runs a loop, whose progress counts from its first step to its end.
    func watched<T: Sendable>(
        _ name: String, _ loop: (RunEnvironment) async throws -> T
    ) async throws -> T {
        var environment = self
        let progress = LoopProgress(name: name, progress: progress, clock: clock)
        environment.loop = progress
        defer { progress.rests() }
        return try await loop(environment)
    }

    /// For work beside a loop, which must not pass for the loop's own.
    var beside: RunEnvironment {
        var environment = self
        environment.loop = nil
        return environment
    }
}
