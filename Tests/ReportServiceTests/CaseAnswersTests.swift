import PipelineCore
import PipelineTesting
import ReportMessages
import Testing

@testable import ReportService

@Suite("Answers in memory", .timeLimit(.minutes(1)))
struct CaseAnswersTests {
    private let time = ManualClock()
    private let cases = FakeCases()
    private let cache = FakeOutcomeCache()

    /// Asks for a case, with time to answer.
    private func ask(_ number: Int, _ answers: CaseAnswers) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await answers.run() }
            group.addTask { [time] in
                try await time.sleepers()
                time.advance(by: .milliseconds(5))
            }
            _ = try await answers.answer(.testing(number))
            group.cancelAll()
        }
    }

    private func answers(retention: Duration?) -> CaseAnswers {
        CaseAnswers(
            reads: ReadPath(cases: cases, cache: cache, retention: retention),
            encoder: AnswerEncoder(), memoryBytes: 1 << 20, window: .milliseconds(5),
            clock: time.clock, random: RandomSource(seed: 1))
    }

    @Test("stay for a day where cases are kept for ever")
    func forEver() async throws {
        var outcome = Outcome.testing(1)
        outcome.writtenAt = time.timestamp
        cases.put(1, .succeeded, outcome: outcome)
        let answers = answers(retention: nil)
        try await ask(1, answers)
        time.advance(by: .hours(23))
        #expect(answers.inMemory(.testing(1)) != nil)
        time.advance(by: .hours(1))
        #expect(answers.inMemory(.testing(1)) == nil)
    }

    @Test("are gone when their case is deleted: its id may name another request then")
    func retention() async throws {
        var outcome = Outcome.testing(1)
        outcome.writtenAt = time.timestamp
        cases.put(1, .succeeded, outcome: outcome)
        time.advance(by: .minutes(40))
        let answers = answers(retention: .hours(1))
        try await ask(1, answers)
        time.advance(by: .minutes(19))
        #expect(answers.inMemory(.testing(1)) != nil)
        time.advance(by: .minutes(1))
        #expect(answers.inMemory(.testing(1)) == nil)
    }

    @Test(
        "from the shared cache stay for a minute where cases are deleted: they do not tell their age"
    )
    func shared() async throws {
        try cache.put(7)
        let answers = answers(retention: .hours(1))
        _ = try await answers.answer(.testing(7))
        time.advance(by: .seconds(59))
        #expect(answers.inMemory(.testing(7)) != nil)
        time.advance(by: .seconds(1))
        #expect(answers.inMemory(.testing(7)) == nil)
    }
}
