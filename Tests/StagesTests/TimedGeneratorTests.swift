import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A generation with a time-out", .timeLimit(.minutes(5)))
struct TimedGeneratorTests {
    private let time = ManualClock()
    private let batch = Batch(
        number: 1, token: 1, attempts: 1, closedBy: "count",
        sealedAt: Timestamp(microseconds: 0),
        cases: [
            Case(number: 1, id: .testing(1), deadline: Timestamp(microseconds: 0), parameters: [1])
        ])

    private func timed(_ generator: ScriptedGenerator) -> TimedGenerator {
        TimedGenerator(inner: generator, timeout: .seconds(5), clock: time.clock)
    }

    @Test("is the answer when that comes in time")
    func inTime() async throws {
        #expect(try await timed(ScriptedGenerator()).generate(batch).results.count == 1)
        #expect(time.sleeperCount == 0)
    }

    @Test("is given up when it takes too long, to be tried again")
    func tooLong() async throws {
        let timed = timed(
            ScriptedGenerator { batch in
                try await AsyncEvent().wait()
                return .echo(of: batch)
            })
        let run = Task { try await timed.generate(batch) }
        try await time.sleepers()
        time.advance(by: .seconds(5))
        let error = await #expect(throws: PipelineError.self) { _ = try await run.value }
        #expect(error?.code == "generation-timeout")
        #expect(error?.disposition == .retryable)
    }

    @Test("hands on the generator's own error")
    func failure() async throws {
        let error = await #expect(throws: PipelineError.self) {
            _ = try await timed(
                ScriptedGenerator { _ in throw PipelineError.permanent("poison", "no") }
            )
            .generate(batch)
        }
        #expect(error?.code == "poison")
    }

    @Test("counts an answer that came together with the time-out")
    func photoFinish() async throws {
        let mayFinish = AsyncEvent()
        let timed = timed(
            ScriptedGenerator { batch in
                // Ignores its cancellation, as work in a store does.
                await withoutCancellation { try? await mayFinish.wait() }
                return .echo(of: batch)
            })
        let run = Task { try await timed.generate(batch) }
        try await time.sleepers()
        time.advance(by: .seconds(5))
        mayFinish.set()
        #expect(try await run.value.results.count == 1)
    }
}
