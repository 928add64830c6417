import PipelineCore
import PipelineRuntime
import Testing

@Suite("Back-off")
struct RetryPolicyTests {
    @Test("doubles with every failure up to a bound, and is jittered downwards by up to half")
    func pauses() {
        let policy = RetryPolicy(first: .milliseconds(100), longest: .seconds(1))
        let random = RandomSource(seed: 1)
        for (attempt, whole) in zip(1..., [100, 200, 400, 800, 1000, 1000, 1000]) {
            let pauses = (0..<200).map { _ in policy.pause(after: attempt, random: random) }
            #expect(pauses.allSatisfy { $0 >= .milliseconds(whole / 2) })
            #expect(pauses.allSatisfy { $0 <= .milliseconds(whole) })
            #expect(Set(pauses).count > 100)
        }
        #expect(policy.pause(after: .max, random: random) <= .seconds(1))
        #expect(policy.pause(after: 0, random: random) <= .milliseconds(100))
    }
}
