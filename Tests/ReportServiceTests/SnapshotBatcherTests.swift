import PipelineCore
import PipelineTesting
import ReportMessages
@testable import ReportService
import Testing

@Suite("Reads that are collected", .timeLimit(.minutes(5)))
struct SnapshotBatcherTests {
    private let time = ManualClock()
    private let cases = FakeCases()

    private func batcher() -> SnapshotBatcher {
        SnapshotBatcher(window: .milliseconds(4), clock: time.clock) { [cases] in
            try await cases.snapshots(of: $0)
        }
    }

    @Test("are one statement a window, whoever asks for whatever")
    func windows() async throws {
        let batcher = batcher()
        cases.put(1, .pending)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await batcher.run() }
            for round in 1...3 {
                try await withThrowingTaskGroup(of: Bool.self) { readers in
                    for reader in 0..<300 {
                        readers.addTask {
                            try await batcher.snapshot(of: .testing(reader % 3))?.state == .pending
                        }
                    }
                    try await time.sleepers()
                    for _ in 0..<3000 { await Task.yield() }
                    #expect(cases.statements.count < round * 2)
                    var found = 0
                    try await withThrowingTaskGroup(of: Void.self) { ticking in
                        // Whoever came after the window is answered by the next.
                        ticking.addTask {
                            while true {
                                time.advance(by: .milliseconds(4))
                                try await time.sleepers()
                            }
                        }
                        while let isPending = try await readers.next() {
                            if isPending { found += 1 }
                        }
                        ticking.cancelAll()
                    }
                    #expect(found == 100)
                }
            }
            group.cancelAll()
        }
        // Three distinct ids are asked for once, not three hundred times.
        #expect(cases.statements.entries.allSatisfy { $0 <= 3 })
    }

    @Test("fail together when the statement fails, and go on with the next")
    func failure() async throws {
        let batcher = batcher()
        cases.failures.add(.retryable("store-unavailable", "away"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await batcher.run() }
            let first = Task { try await batcher.snapshot(of: .testing(1)) }
            try await time.sleepers()
            time.advance(by: .milliseconds(4))
            await #expect(throws: PipelineError.self) { _ = try await first.value }
            let second = Task { try await batcher.snapshot(of: .testing(1)) }
            try await time.sleepers()
            time.advance(by: .milliseconds(4))
            #expect(try await second.value == nil)
            group.cancelAll()
        }
    }

    @Test("are turned away once the service shuts down, those that wait too")
    func shutdown() async throws {
        let batcher = batcher()
        let running = Task { try await batcher.run() }
        let waiting = Task { try await batcher.snapshot(of: .testing(1)) }
        try await time.sleepers()
        running.cancel()
        for read in [waiting, Task { try await batcher.snapshot(of: .testing(2)) }] {
            let error = await #expect(throws: PipelineError.self) { _ = try await read.value }
            #expect(error?.code == "shutting-down")
        }
    }
}

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
            encoder: FakeAnswerEncoder(), memoryBytes: 1 << 20, window: .milliseconds(5),
            clock: time.clock, random: RandomSource(seed: 1))
    }

    @Test(
        "stay for ten seconds, wherever they come from: then a replay may have put others in their place",
        arguments: [nil, .hours(1)] as [Duration?])
    func replaced(_ retention: Duration?) async throws {
        var outcome = Outcome.testing(1)
        outcome.writtenAt = time.timestamp
        cases.put(1, .succeeded, outcome: outcome)
        try cache.put(7)
        let answers = answers(retention: retention)
        try await ask(1, answers)
        _ = try await answers.answer(.testing(7))
        time.advance(by: .milliseconds(9_900))
        for number in [1, 7] { #expect(answers.inMemory(.testing(number)) != nil) }
        time.advance(by: .milliseconds(100))
        for number in [1, 7] { #expect(answers.inMemory(.testing(number)) == nil) }
    }

    @Test("are not those of cases that are being replayed: these are put nowhere")
    func replayed() async throws {
        cases.put(1, .succeeded, outcome: .testing(1), revision: 2)
        let meanwhile = answers(retention: nil)
        try await ask(1, meanwhile)
        #expect(meanwhile.inMemory(.testing(1)) == nil)
        #expect(cache.stored.entries == [])
        var second = Outcome.testing(1)
        second.revision = 2
        cases.put(1, .succeeded, outcome: second)
        let later = answers(retention: nil)
        try await ask(1, later)
        #expect(later.inMemory(.testing(1)) != nil)
        #expect(cache.stored.entries == [.testing(1)])
    }

    @Test("are gone when their case is deleted: its id may name another request then")
    func retention() async throws {
        var outcome = Outcome.testing(1)
        outcome.writtenAt = time.timestamp
        cases.put(1, .succeeded, outcome: outcome)
        time.advance(by: .hours(1) - .seconds(6))
        let answers = answers(retention: .hours(1))
        try await ask(1, answers)
        time.advance(by: .seconds(5))
        #expect(answers.inMemory(.testing(1)) != nil)
        time.advance(by: .seconds(1))
        #expect(answers.inMemory(.testing(1)) == nil)
    }
}
