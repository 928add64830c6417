import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("Generation", .timeLimit(.minutes(5)))
struct GenerationLoopTests {
    private let world = RunningPipeline()
    private let ledger = FakeLedger()

    /// Runs the loop until `body` returns.
    private func generating(
        _ generator: ScriptedGenerator, _ other: FakeLedger? = nil, _ body: () async throws -> Void
    ) async throws {
        let environment = world.environment()
        let loop = GenerationLoop(
            stage: "reports", barrier: world.barrier(other ?? ledger, environment),
            generator: generator, sinks: ["ready"], environment: environment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await loop.run() }
            try await body()
            environment.stop.set()
            try await group.waitForAll()
        }
    }

    @Test("commits the answers of a batch, case by case")
    func commits() async throws {
        ledger.seal([5, 3, 9])
        try await generating(ScriptedGenerator()) { try await ledger.commits.reaches(1) }
        let (batch, generated) = ledger.commits.entries[0]
        #expect(batch.cases.map(\.number) == [5, 3, 9])
        #expect(generated.results.map(\.report) == [[5], [3], [9]])
        #expect(world.observer.generations.entries.map(\.cases) == [3])
    }

    @Test("claims at once what this process has sealed, and has delivered what it has committed")
    func wakes() async throws {
        let ledger = FakeLedger(waitsAtClaims: false)
        let environment = world.environment()
        let barrier = world.barrier(ledger, environment)
        let sink = RecordingSink()
        let generation = GenerationLoop(
            stage: "reports", barrier: barrier, generator: ScriptedGenerator(), sinks: ["ready"],
            environment: environment)
        let delivery = DeliveryLoop(
            stage: "ready", barrier: barrier, sink: sink, environment: environment)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await generation.run() }
            group.addTask { try await delivery.run() }
            // Both have found nothing, and sleep until others may have done something.
            try await world.time.sleepers(atLeast: 2)
            ledger.seal([1, 2])
            barrier.hasSealed()
            try await ledger.calls.reaches(2)
            environment.stop.set()
            try await group.waitForAll()
        }
        #expect(ledger.calls.entries == ["commit 1", "delivered 1 to ready"])
        #expect(sink.batches.entries.map(\.number) == [1])
    }

    @Test("counts as late what the store's clock says, an hour off this process's")
    func late() async throws {
        let store = world.time.timestamp.advanced(by: .hours(-1))
        let ledger = FakeLedger(storeTime: store)
        ledger.seal([1, 2], deadline: store.advanced(by: .minutes(30)))
        ledger.seal([3], deadline: store.advanced(by: .microseconds(-1)))
        try await generating(ScriptedGenerator(), ledger) { try await ledger.commits.reaches(2) }
        #expect(world.observer.generations.entries.map(\.late) == [0, 1])
    }

    @Test("extends its lease three times in its length for as long as it takes")
    func heartBeat() async throws {
        let mayFinish = AsyncEvent()
        let generator = ScriptedGenerator { batch in
            try await mayFinish.wait()
            return .echo(of: batch)
        }
        ledger.seal([1])
        try await generating(generator) {
            for beat in 1...6 {
                try await world.time.sleepers()
                world.time.advance(by: .seconds(10))
                #expect(try await ledger.calls.reaches(beat).last == "extend 1")
            }
            mayFinish.set()
            try await ledger.commits.reaches(1)
        }
        #expect(ledger.calls.entries == Array(repeating: "extend 1", count: 6) + ["commit 1"])
    }

    @Test("is given up when the lease was lost: nothing is committed, the next batch is claimed")
    func lostLease() async throws {
        let working = AsyncEvent()
        let cancelled = AsyncEvent()
        let generator = ScriptedGenerator { batch in
            if batch.number == 1 {
                working.set()
                do { try await AsyncEvent().wait() } catch {
                    cancelled.set()
                    throw error
                }
            }
            return .echo(of: batch)
        }
        ledger.seal([1])
        ledger.fail(.extend, .fenced("lease-lost", "somebody else has it"))
        try await generating(generator) {
            try await working.wait()
            try await world.time.sleepers()
            world.time.advance(by: .seconds(10))
            try await cancelled.wait()
            ledger.seal([2])
            try await ledger.commits.reaches(1)
        }
        #expect(ledger.commits.entries.map(\.batch.number) == [2])
        #expect(world.observer.failures.entries.map(\.code) == ["lease-lost"])
    }

    @Test("that is fenced at its commit leaves the other's outcomes alone")
    func fencedCommit() async throws {
        ledger.seal([1])
        ledger.seal([2])
        ledger.fail(.commit, .fenced("lease-lost", "somebody else has it"))
        try await generating(ScriptedGenerator()) { try await ledger.commits.reaches(1) }
        #expect(ledger.calls.entries == ["commit 2"])
    }

    @Test("repeats a commit whose answer was lost, without generating again")
    func repeatedCommit() async throws {
        let runs = Journal<Int64>()
        let generator = ScriptedGenerator { batch in
            runs.note(batch.number)
            return .echo(of: batch)
        }
        ledger.seal([1])
        ledger.fail(.commit, .retryable("store-unavailable", "no answer"))
        try await generating(generator) {
            try await world.time.sleepers(atLeast: 2)
            world.time.advance(by: .milliseconds(100))
            try await ledger.commits.reaches(1)
        }
        #expect(runs.count == 1)
    }

    @Test("gives a batch back for a while when trying again may help")
    func retryable() async throws {
        let failures = Failures([.retryable("store-unavailable", "away")])
        let generator = ScriptedGenerator { batch in
            try failures.throwNext()
            return .echo(of: batch)
        }
        ledger.seal([1, 2])
        try await generating(generator) { try await ledger.commits.reaches(1) }
        #expect(ledger.calls.entries == ["release 1", "commit 1"])
        #expect(ledger.pauses.entries.allSatisfy { $0 > .zero && $0 <= .milliseconds(100) })
        #expect(ledger.commits.entries[0].batch.attempts == 2)
        #expect(world.observer.failures.entries.map(\.code) == ["store-unavailable"])
    }

    @Test("halves a batch that can't be answered until the poison case stands alone and fails")
    func poison() async throws {
        let generator = ScriptedGenerator { batch in
            if batch.cases.contains(where: { $0.number == 6 }) {
                throw PipelineError.permanent("poison", "case 6 can't be answered")
            }
            return .echo(of: batch)
        }
        ledger.seal(1...8)
        try await generating(generator) { try await ledger.commits.reaches(4) }
        let commits = ledger.commits.entries
        #expect(commits.map(\.batch.cases.count).sorted() == [1, 1, 2, 4])
        #expect(commits.flatMap(\.batch.cases).map(\.number).sorted() == Array(1...8))
        for (batch, generated) in commits {
            let failed = generated.results.compactMap(\.failureCode)
            #expect(failed == (batch.cases.map(\.number) == [6] ? ["poison"] : []))
        }
    }

    @Test("hands its batch back at once when it is cancelled, as no attempt")
    func handsBack() async throws {
        let working = AsyncEvent()
        let generator = ScriptedGenerator { batch in
            working.set()
            try await AsyncEvent().wait()
            return .echo(of: batch)
        }
        ledger.seal([1])
        let environment = world.environment()
        let loop = GenerationLoop(
            stage: "reports", barrier: world.barrier(ledger, environment), generator: generator,
            sinks: [], environment: environment)
        let run = Task { try await loop.run() }
        try await working.wait()
        run.cancel()
        await #expect(throws: CancellationError.self) { try await run.value }
        #expect(ledger.calls.entries == ["handBack 1"])
        #expect(try await ledger.claim(worker: "other", lease: .seconds(1))?.attempts == 1)
    }

    @Test("hands its batch back while a generator that hears nothing goes on")
    func handsBackFromDeafGenerator() async throws {
        let working = AsyncEvent()
        let mayEnd = AsyncEvent()
        let generator = ScriptedGenerator { batch in
            working.set()
            await withoutCancellation { try? await mayEnd.wait() }
            return .echo(of: batch)
        }
        ledger.seal([1])
        let environment = world.environment()
        let loop = GenerationLoop(
            stage: "reports", barrier: world.barrier(ledger, environment), generator: generator,
            sinks: [], environment: environment)
        let run = Task { try await loop.run() }
        try await working.wait()
        run.cancel()
        try await world.advance(by: .milliseconds(100)) { ledger.calls.entries == ["handBack 1"] }
        mayEnd.set()
        _ = await run.result
    }

    @Test("hands back a batch whose claim came together with a cancellation")
    func claimedTooLate() async throws {
        let environment = world.environment()
        let task = Task {
            try await environment.unlessStopped {
                // The store answers all the same.
                await withoutCancellation { for _ in 0..<100 { await Task.yield() } }
                return 7
            }
        }
        task.cancel()
        #expect(try await task.value == 7)
    }

    @Test("ends the pipeline with a sentence when a generator miscounts")
    func miscount() async throws {
        ledger.seal([1, 2])
        let generator = ScriptedGenerator { _ in
            GeneratedBatch(results: [.report([1])], dataAsOf: Timestamp(microseconds: 0))
        }
        let environment = world.environment()
        let loop = GenerationLoop(
            stage: "reports", barrier: world.barrier(ledger, environment), generator: generator,
            sinks: [], environment: environment)
        let error = await #expect(throws: PipelineError.self) { try await loop.run() }
        #expect(error?.code == "generator-mismatch")
        #expect(error?.message.hasPrefix("the generator answered 1 of 2 cases") == true)
        #expect(ledger.calls.entries == ["handBack 1"])
    }

    @Test("fails the case whose report the store refuses, not its batch for ever")
    func refusedReport() async throws {
        let refusal = PipelineError.permanent("store-constraint", "the report is too long")
        ledger.seal([1, 2])
        ledger.fail(.commit, refusal, refusal)
        try await generating(ScriptedGenerator()) { try await ledger.commits.reaches(2) }
        #expect(ledger.calls.entries.prefix(2) == ["bisect 1", "commit 2"])
        let commits = ledger.commits.entries.sorted { $0.batch.number < $1.batch.number }
        #expect(commits.map(\.batch.cases.count) == [1, 1])
        #expect(commits[0].generated.results[0].failureCode == "store-constraint")
        #expect(commits[1].generated.results[0].report == [2])
    }

    @Test("stops the pipeline when it can't go on")
    func fatal() async throws {
        ledger.seal([1])
        let generator = ScriptedGenerator { _ in throw PipelineError.fatal("no-tables", "migrate") }
        let environment = world.environment()
        let loop = GenerationLoop(
            stage: "reports", barrier: world.barrier(ledger, environment), generator: generator,
            sinks: [], environment: environment)
        let error = await #expect(throws: PipelineError.self) { try await loop.run() }
        #expect(error?.code == "no-tables")
        #expect(ledger.calls.entries == ["handBack 1"])
    }
}

extension CaseResult {
    var report: Bytes? { if case .report(let bytes) = self { bytes } else { nil } }
    var failureCode: ErrorCode? { if case .failure(let code, _) = self { code } else { nil } }
}
