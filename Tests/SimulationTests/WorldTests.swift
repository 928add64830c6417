import Concurrency
import Foundation
import PipelineCore
import PipelineSimulation
import Testing

@Suite("Simulated worlds")
struct WorldTests {
    @Test("on quiet days every request is answered once, in full batches, in time")
    func quiet() async throws {
        let failure = try await Seeds.firstFailure(20) { seed in
            simulate(seed) { WorldPlan(quiet: &$0) }.failure
        }
        #expect(failure == nil)
    }

    @Test("whatever is killed, paused, lost or refused, no promise is broken")
    func rough() async throws {
        let failure = try await Seeds.firstFailure(60) { seed in
            simulate(seed) { WorldPlan(rough: &$0) }.failure
        }
        #expect(failure == nil)
    }

    @Test(
        "an error that no repeating helps against ends the process with that error, wherever it comes from",
        arguments: [
            "register", "accept", "positions", "seal", "claim", "extend", "commit", "release",
            "bisect", "claimDelivery", "delivered",
        ])
    func fatal(_ operation: String) async throws {
        let failure = try await Seeds.firstFailure(3) { seed in
            let calls = Shared(0)
            let verdict = simulate(seed) {
                var plan = WorldPlan(rough: &$0)
                plan.poison = 0.3
                return plan
            } fault: { called in
                guard called == operation else { return }
                calls.withLock { $0 += 1 }
                if calls.current == 2 {
                    throw PipelineError.fatal(ErrorCode(foreign: "planted"), "planted")
                }
            }
            // A world may be over before it asks a second time.
            if calls.current < 2 { return nil }
            let found = verdict.violations.first ?? "nothing"
            return found.contains("gave up: planted")
                ? nil : "\(found)\n\(verdict.history.tail(60))"
        }
        #expect(failure == nil)
    }

    @Test("a seed repeats a run, byte for byte")
    func determinism() async throws {
        let failure = try await Seeds.firstFailure(3) { seed in
            let first = simulate(seed) { WorldPlan(rough: &$0) }.history
            let second = simulate(seed) { WorldPlan(rough: &$0) }.history
            if first == second { return nil }
            let differing = zip(first.lines, second.lines).first { $0 != $1 }
            return "runs differ: \(String(describing: differing))"
        }
        #expect(failure == nil)
    }
}

/// Runs the world of a seed.
func simulate(
    _ seed: UInt64, _ makePlan: (inout SplitMix64) -> WorldPlan,
    fault: @escaping @Sendable (_ operation: String) throws -> Void = { _ in }
) -> Verdict {
    var random = SplitMix64(seed: seed)
    let plan = makePlan(&random)
    let traffic = Traffic(plan, &random)
    return World(plan: plan, seed: random.next(), fault: fault).run(traffic)
}

/// Which seeds a test tries: `PENSTOCK_SIMULATION_SEEDS` says how many,
/// `PENSTOCK_SIMULATION_FIRST_SEED` where to begin.
enum Seeds {
    /// - Parameter count: how many, if the environment does not say.
    static func seeds(_ count: Int) -> Range<UInt64> {
        let first = number("PENSTOCK_SIMULATION_FIRST_SEED") ?? 1
        return first..<first + (number("PENSTOCK_SIMULATION_SEEDS") ?? UInt64(count))
    }

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) }
    }

    /// Runs `body` for each seed, a thread for each processor, until one answers what is wrong.
    static func firstFailure(
        _ count: Int, _ body: @escaping @Sendable (_ seed: UInt64) -> String?
    ) async throws -> String? {
        let all = seeds(count)
        let first = Shared<(seed: UInt64, failure: String)?>(nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let threads = UInt64(ProcessInfo.processInfo.activeProcessorCount)
            for thread in 0..<threads {
                group.addTask {
                    try await WorkerThread().run {
                        for seed in stride(
                            from: all.lowerBound + thread, to: all.upperBound, by: Int(threads))
                        {
                            if let known = first.current, known.seed < seed { return }
                            guard let failure = body(seed) else { continue }
                            first.withLock {
                                if $0.map({ seed < $0.seed }) ?? true { $0 = (seed, failure) }
                            }
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        return first.current.map { "seed \($0.seed): \($0.failure)" }
    }
}
