import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("Generation", .timeLimit(.minutes(5)))
struct GenerationLoopTests {
    private let world = RunningPipeline()
    private let barrier = FakeBarrier(lease: .seconds(30))

    /// Runs the loop until `body` returns.
    private func generating(
        _ generator: FakeGenerator, _ other: FakeBarrier? = nil, _ body: () async throws -> Void
    ) async throws {
        let environment = world.environment()
        let loop = GenerationLoop(
            stage: "reports", barrier: other ?? barrier, generator: generator, sinks: ["ready"],
            environment: environment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await loop.run() }
            try await body()
            environment.stop.open()
            try await group.waitForAll()
        }
    }

    @Test("commits the answers of a batch, case by case")
    func commits() async throws {
        barrier.seal([5, 3, 9])
        try await generating(FakeGenerator()) { try await barrier.commits.reaches(1) }
        let (batch, generated) = barrier.commits.entries[0]
        #expect(batch.cases.map(\.number) == [5, 3, 9])
        #expect(generated.results.map(\.report) == [[5], [3], [9]])
        #expect(world.observer.generations.entries.map(\.cases) == [3])
    }

    @Test("counts as late what the store's clock says, an hour off this process's")
    func late() async throws {
        let store = world.time.timestamp.advanced(by: .hours(-1))
        let barrier = FakeBarrier(storeTime: store)
        barrier.seal([1, 2], deadline: store.advanced(by: .minutes(30)))
        barrier.seal([3], deadline: store.advanced(by: .microseconds(-1)))
        try await generating(FakeGenerator(), barrier) { try await barrier.commits.reaches(2) }
        #expect(world.observer.generations.entries.map(\.late) == [0, 1])
    }

    @Test("extends its lease three times in its length for as long as it takes")
    func heartBeat() async throws {
        let mayFinish = Latch()
        let generator = FakeGenerator { batch in
            try await mayFinish.wait()
            return .echo(of: batch)
        }
        barrier.seal([1])
        try await generating(generator) {
            for beat in 1...6 {
                try await world.time.sleepers()
                world.time.advance(by: .seconds(10))
                #expect(try await barrier.calls.reaches(beat).last == "extend 1")
            }
            mayFinish.open()
            try await barrier.commits.reaches(1)
        }
        #expect(barrier.calls.entries == Array(repeating: "extend 1", count: 6) + ["commit 1"])
    }

    @Test("is given up when the lease was lost: nothing is committed, the next batch is claimed")
    func lostLease() async throws {
        let working = Latch()
        let cancelled = Latch()
        let generator = FakeGenerator { batch in
            if batch.number == 1 {
                working.open()
                do { try await Latch().wait() } catch {
                    cancelled.open()
                    throw error
                }
            }
            return .echo(of: batch)
        }
        barrier.seal([1])
        barrier.fail(.extend, .fenced("lease-lost", "somebody else has it"))
        try await generating(generator) {
            try await working.wait()
            try await world.time.sleepers()
            world.time.advance(by: .seconds(10))
            try await cancelled.wait()
            barrier.seal([2])
            try await barrier.commits.reaches(1)
        }
        #expect(barrier.commits.entries.map(\.batch.number) == [2])
        #expect(world.observer.failures.entries.map(\.code) == ["lease-lost"])
    }

    @Test("that is fenced at its commit leaves the other's outcomes alone")
    func fencedCommit() async throws {
        barrier.seal([1])
        barrier.seal([2])
        barrier.fail(.commit, .fenced("lease-lost", "somebody else has it"))
        try await generating(FakeGenerator()) { try await barrier.commits.reaches(1) }
        #expect(barrier.calls.entries == ["commit 2"])
    }

    @Test("repeats a commit whose answer was lost, without generating again")
    func repeatedCommit() async throws {
        let runs = Journal<Int64>()
        let generator = FakeGenerator { batch in
            runs.note(batch.number)
            return .echo(of: batch)
        }
        barrier.seal([1])
        barrier.fail(.commit, .retryable("store-unavailable", "no answer"))
        try await generating(generator) {
            try await world.time.sleepers(atLeast: 2)
            world.time.advance(by: .milliseconds(100))
            try await barrier.commits.reaches(1)
        }
        #expect(runs.count == 1)
    }

    @Test("gives a batch back for a while when trying again may help")
    func retryable() async throws {
        let failures = Failures([.retryable("store-unavailable", "away")])
        let generator = FakeGenerator { batch in
            try failures.throwNext()
            return .echo(of: batch)
        }
        barrier.seal([1, 2])
        try await generating(generator) { try await barrier.commits.reaches(1) }
        #expect(barrier.calls.entries == ["release 1", "commit 1"])
        #expect(barrier.pauses.entries.allSatisfy { $0 > .zero && $0 <= .milliseconds(100) })
        #expect(barrier.commits.entries[0].batch.attempts == 2)
        #expect(world.observer.failures.entries.map(\.code) == ["store-unavailable"])
    }

    @Test("halves a batch that can't be answered until the poison case stands alone and fails")
    func poison() async throws {
        let generator = FakeGenerator { batch in
            if batch.cases.contains(where: { $0.number == 6 }) {
                throw PipelineError.permanent("poison", "case 6 can't be answered")
            }
            return .echo(of: batch)
        }
        barrier.seal(1...8)
        try await generating(generator) { try await barrier.commits.reaches(4) }
        let commits = barrier.commits.entries
        #expect(commits.map(\.batch.cases.count).sorted() == [1, 1, 2, 4])
        #expect(commits.flatMap(\.batch.cases).map(\.number).sorted() == Array(1...8))
        for (batch, generated) in commits {
            let failed = generated.results.compactMap(\.failureCode)
            #expect(failed == (batch.cases.map(\.number) == [6] ? ["poison"] : []))
        }
    }

    @Test("fails the case whose report the store refuses, not its batch for ever")
    func refusedReport() async throws {
        let refusal = PipelineError.permanent("store-constraint", "the report is too long")
        barrier.seal([1, 2])
        barrier.fail(.commit, refusal, refusal)
        try await generating(FakeGenerator()) { try await barrier.commits.reaches(2) }
        #expect(barrier.calls.entries.prefix(2) == ["bisect 1", "commit 2"])
        let commits = barrier.commits.entries.sorted { $0.batch.number < $1.batch.number }
        #expect(commits.map(\.batch.cases.count) == [1, 1])
        #expect(commits[0].generated.results[0].failureCode == "store-constraint")
        #expect(commits[1].generated.results[0].report == [2])
    }

    @Test("stops the pipeline when it can't go on")
    func fatal() async throws {
        barrier.seal([1])
        let generator = FakeGenerator { _ in throw PipelineError.fatal("no-tables", "migrate") }
        let loop = GenerationLoop(
            stage: "reports", barrier: barrier, generator: generator, sinks: [],
            environment: world.environment())
        let error = await #expect(throws: PipelineError.self) { try await loop.run() }
        #expect(error?.code == "no-tables")
        #expect(barrier.calls.count == 0)
    }
}

extension CaseResult {
    var report: Bytes? { if case .report(let bytes) = self { bytes } else { nil } }
    var failureCode: String? { if case .failure(let code, _) = self { code } else { nil } }
}
