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
    _ seed: UInt64, _ makePlan: (inout SplitMix64) -> WorldPlan
) -> Verdict {
    var random = SplitMix64(seed: seed)
    let plan = makePlan(&random)
    let traffic = Traffic(plan, &random)
    return World(plan: plan, seed: random.next()).run(traffic)
}
