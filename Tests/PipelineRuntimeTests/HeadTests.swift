import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("The head of a pipeline", .timeLimit(.minutes(5)))
struct HeadTests {
    private let world = RunningPipeline()
    private let sink = RecordingSink()

    @Test("passes chunks on in order, and settles each when its last sink has it")
    func order() async throws {
        let chunks = (0..<20).map { Chunk.testing([$0]) }
        let graph = world.graph(
            sources: [ScriptedSource(chunks.map(\.chunk))],
            head: [.transform { $0 }, .sink(sink)])
        try await world.run(graph).run()
        #expect(sink.chunks.entries.flatMap(\.numbers) == Array(0..<20))
        for (_, settlement) in chunks {
            #expect(settlement.settlements.count == 1)
            #expect(try await settlement.outcome() == nil)
        }
    }

    @Test("does not settle a chunk while a sink still has it")
    func settlement() async throws {
        let sink = RecordingSink(isOpen: false)
        let (chunk, settlement) = Chunk.testing([1])
        let graph = world.graph(sources: [ScriptedSource([chunk])], head: [.sink(sink)])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [world] in try await world.run(graph).run() }
            await settleDown()
            #expect(settlement.settlements.count == 0)
            sink.gate.set()
            try await group.waitForAll()
        }
        #expect(settlement.settlements.count == 1)
    }

    @Test("lets a transform work beside its chunks, and ends that with the last of them")
    func besides() async throws {
        struct RecordingTransform: Transform {
            let started = AsyncEvent()
            let ended = AsyncEvent()
            func process(_ chunk: Chunk) async throws -> Chunk {
                try await started.wait()
                return chunk
            }
            func run() async throws {
                started.set()
                defer { ended.set() }
                try await AsyncEvent().wait()
            }
        }
        let working = RecordingTransform()
        let graph = world.graph(
            sources: [ScriptedSource([Chunk.testing([1]).chunk])],
            head: [.init(id: "unique", role: .transform(working)), .sink(sink)])
        try await world.run(graph).run()
        #expect(sink.chunks.count == 1)
        #expect(working.ended.isSet)
    }

    @Test("slows its source to its slowest stage: chunks in flight have a bound")
    func backPressure() async throws {
        let sink = RecordingSink(isOpen: false)
        let sent = Journal<Int>()
        let source = ScriptedSource { outlet in
            for number in 0..<1000 {
                try await outlet.send(Chunk.testing([number]).chunk)
                sent.note(number)
            }
        }
        let graph = world.graph(sources: [source], head: [.transform { $0 }, .sink(sink)])
        // One in the sink, one in the transform's hands, and what the two hand-offs hold.
        let bound = 2 + 2 * Head.handOffCapacity
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [world] in try await world.run(graph).run() }
            try await sent.reaches(bound)
            await settleDown()
            #expect(sent.count == bound)
            sink.gate.set()
            try await group.waitForAll()
        }
        #expect(sink.chunks.count == 1000)
    }

    @Test("goes on with the rest of a chunk when records are refused")
    func rejections() async throws {
        let (chunk, settlement) = Chunk.testing([1, 2, 3])
        let graph = world.graph(
            sources: [ScriptedSource([chunk])],
            head: [
                .transform { chunk in
                    let bad = chunk.records[1]
                    try await chunk.acknowledgement.reject([
                        Rejection(bad, stage: "change", code: "malformed", reason: "bad")
                    ])
                    var rest = chunk
                    rest.records.remove(at: 1)
                    return rest
                }, .sink(sink),
            ])
        try await world.run(graph).run()
        #expect(sink.chunks.entries.map(\.numbers) == [[1, 3]])
        #expect(settlement.rejectedOrdinals == [1])
        #expect(try await settlement.outcome() == nil)
    }

    @Test(
        "counts answers after their deadline without a ledger, too: the case's own, or the promise from its arrival"
    )
    func late() async throws {
        let (chunk, _) = Chunk.testing([1, 2, 3, 4])
        var records = chunk.records
        let start = world.time.timestamp
        records[0].deadline = start.advanced(by: .seconds(9))
        records[1].deadline = start.advanced(by: .seconds(10))
        records[2].deadline = start.advanced(by: .hours(2))
        let asked = Chunk(records: records, advances: [], acknowledgement: chunk.acknowledgement)
        let deadlines = Journal<Timestamp>()
        let generator = ScriptedGenerator { [world] batch in
            for item in batch.cases { deadlines.note(item.deadline) }
            world.time.advance(by: .seconds(10))
            return .echo(of: batch)
        }
        var graph = world.graph(
            sources: [ScriptedSource([asked])],
            head: [.init(id: "reports", role: .worker(generator)), .sink(sink)])
        graph.sla = .hours(1)
        try await world.run(graph).run()
        #expect(world.observer.generations.entries.map(\.late) == [1])
        #expect(deadlines.entries.last == start.advanced(by: .hours(1)))
    }

    @Test("gives up a chunk that another process has taken over, and reads on")
    func fencedBySink() async throws {
        let (first, second) = (Chunk.testing([1]), Chunk.testing([2]))
        sink.failures.add(.fenced("position-moved", "moved"))
        let graph = world.graph(
            sources: [ScriptedSource([first.chunk, second.chunk])], head: [.sink(sink)])
        try await world.run(graph).run()
        #expect(try await first.settlement.outcome()?.code == "position-moved")
        #expect(try await second.settlement.outcome() == nil)
        #expect(sink.chunks.entries.map(\.numbers) == [[2]])
    }

    @Test("gives up a chunk that the barrier finds taken over, and reads on")
    func fencedByBarrier() async throws {
        let (first, second) = (Chunk.testing([1]), Chunk.testing([2]))
        let ledger = FakeLedger()
        ledger.fail(.accept, .fenced("position-moved", "moved"))
        let graph = world.graph(
            sources: [ScriptedSource([first.chunk, second.chunk])], ledger: ledger)
        try await world.run(graph).run()
        #expect(try await first.settlement.outcome()?.disposition == .fenced)
        #expect(try await second.settlement.outcome() == nil)
    }

    @Test("lets the barrier take a chunk while it has no answer for the one before")
    func takenAhead() async throws {
        let ledger = FakeLedger(ahead: 2, isOpen: false)
        let chunks = (0..<4).map { Chunk.testing([$0]) }
        let graph = world.graph(sources: [ScriptedSource(chunks.map(\.chunk))], ledger: ledger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [world] in try await world.run(graph).run() }
            try await ledger.taken.reaches(2)
            await settleDown()
            #expect(ledger.taken.count == 2)
            #expect(chunks.allSatisfy { $0.settlement.settlements.count == 0 })
            ledger.gate.set()
            try await group.waitForAll()
        }
        #expect(ledger.accepted.entries.flatMap(\.numbers) == [0, 1, 2, 3])
        for (_, settlement) in chunks { #expect(try await settlement.outcome() == nil) }
        #expect(world.observer.passages.entries.filter { $0.stage == "batch" }.count == 4)
    }

    @Test("hands what the barrier has left in by itself, in order, and tries it again")
    func leftByBarrier() async throws {
        let ledger = FakeLedger(ahead: 2)
        // In the window, then alone.
        for _ in 0..<3 { ledger.fail(.accept, .retryable("store-unavailable", "away")) }
        let chunks = (0..<4).map { Chunk.testing([$0]) }
        let graph = world.graph(sources: [ScriptedSource(chunks.map(\.chunk))], ledger: ledger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [world] in try await world.run(graph).run() }
            try await world.advance(by: .milliseconds(100)) { ledger.accepted.count == 4 }
            try await group.waitForAll()
        }
        #expect(ledger.accepted.entries.flatMap(\.numbers) == [0, 1, 2, 3])
        #expect(world.observer.retries.entries == ["stage batch: accept"])
        for (_, settlement) in chunks { #expect(try await settlement.outcome() == nil) }
    }

    @Test("gives up what was sent behind a chunk that another process has taken over, too")
    func fencedInAWindow() async throws {
        let ledger = FakeLedger(ahead: 2)
        for _ in 0..<4 { ledger.fail(.accept, .fenced("position-moved", "moved")) }
        let chunks = (0..<3).map { Chunk.testing([$0]) }
        let graph = world.graph(sources: [ScriptedSource(chunks.map(\.chunk))], ledger: ledger)
        try await world.run(graph).run()
        for (_, settlement) in chunks[..<2] {
            #expect(try await settlement.outcome()?.code == "position-moved")
        }
        #expect(try await chunks[2].settlement.outcome() == nil)
        #expect(ledger.accepted.entries.map(\.numbers) == [[2]])
    }

    @Test("settles what the barrier has taken when it is stopped meanwhile")
    func stoppedInAWindow() async throws {
        let ledger = FakeLedger(ahead: 2, isOpen: false)
        let chunks = (0..<3).map { Chunk.testing([$0]) }
        let source = ScriptedSource { outlet in
            for (chunk, _) in chunks { try await outlet.send(chunk) }
            try await AsyncEvent().wait()
        }
        let run = world.run(world.graph(sources: [source], ledger: ledger))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await run.run() }
            try await ledger.taken.reaches(2)
            run.stop()
            await settleDown()
            #expect(chunks.allSatisfy { $0.settlement.settlements.count == 0 })
            ledger.gate.set()
            try await group.waitForAll()
        }
        for (_, settlement) in chunks { #expect(try await settlement.outcome() == nil) }
    }

    @Test("tries a chunk again after growing pauses, and keeps the order")
    func retries() async throws {
        sink.failures.add(
            .retryable("store-unavailable", "away"), .retryable("store-unavailable", "away"))
        let chunks = (0..<3).map { Chunk.testing([$0]) }
        let graph = world.graph(
            sources: [ScriptedSource(chunks.map(\.chunk))], head: [.sink(sink)])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [world] in try await world.run(graph).run() }
            try await world.time.sleepers()
            // Half to whole of 100 ms, then of 200 ms.
            world.time.advance(by: .milliseconds(49))
            #expect(world.time.sleeperCount == 1)
            world.time.advance(by: .milliseconds(51))
            try await world.observer.retries.reaches(2)
            try await world.time.sleepers()
            world.time.advance(by: .milliseconds(99))
            #expect(world.time.sleeperCount == 1)
            #expect(sink.chunks.count == 0)
            world.time.advance(by: .milliseconds(101))
            try await group.waitForAll()
        }
        #expect(sink.chunks.entries.map(\.numbers) == [[0], [1], [2]])
        #expect(world.observer.retries.entries == ["stage out", "stage out"])
        #expect(chunks.allSatisfy { $0.settlement.settlements.count == 1 })
    }

    @Test("reads on after pauses with a bound, and counts failures anew once a source has worked")
    func restarts() async throws {
        let starts = Journal<Instant>()
        let (days, failures) = (Duration.seconds(200_000), 12)
        let source = ScriptedSource { [time = world.time] outlet in
            starts.note(time.now)
            if starts.count == failures { try await time.clock.sleep(for: days) }
            if starts.count <= failures {
                throw PipelineError.retryable("bus-unavailable", "away")
            }
        }
        let graph = world.graph(sources: [source], head: [.sink(sink)])
        let ended = AsyncEvent()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [world] in
                try await world.run(graph).run()
                ended.set()
            }
            while starts.count < failures {
                // Only between two starts: a start that takes long counts as work.
                let isPausing = world.observer.retries.count == starts.count
                if isPausing, world.time.sleeperCount > 0 {
                    world.time.advance(by: .milliseconds(20))
                }
                await Task.yield()
            }
            // The source, and who waits for it to have worked.
            try await world.time.sleepers(atLeast: 2)
            world.time.advance(by: days)
            try await world.advance(by: .milliseconds(20)) { ended.isSet }
            try await group.waitForAll()
        }
        let pauses = zip(starts.entries, starts.entries.dropFirst()).map { $0.duration(to: $1) }
        #expect(pauses.dropLast().allSatisfy { $0 <= .milliseconds(5020) })
        #expect(pauses[failures - 2] >= .milliseconds(2500))
        #expect(pauses[failures - 1] <= days + .milliseconds(120))
    }

    @Test("stops with the reason when it can't go on, and promises nothing for what it held")
    func fatal() async throws {
        let (chunk, settlement) = Chunk.testing([1])
        sink.failures.add(.fatal("schema-missing", "run penstock migrate"))
        let source = ScriptedSource { [chunk] outlet in
            try await outlet.send(chunk)
            try await AsyncEvent().wait()
        }
        let graph = world.graph(sources: [source], head: [.sink(sink)])
        let error = await #expect(throws: PipelineError.self) {
            try await world.run(graph).run()
        }
        #expect(error?.code == "schema-missing")
        #expect(settlement.settlements.entries.allSatisfy { $0.failure != nil })
    }

    @Test("answers requests without a barrier, the poison cases apart from the others")
    func directGeneration() async throws {
        let (chunk, settlement) = Chunk.testing([1, 2, 3, 4, 5])
        let generator = ScriptedGenerator { batch in
            if batch.cases.contains(where: { $0.id == .testing(4) }) {
                throw PipelineError.permanent("poison", "can't be answered")
            }
            return .echo(of: batch)
        }
        let graph = world.graph(
            sources: [ScriptedSource([chunk])],
            head: [.init(id: "reports", role: .worker(generator)), .outcomeSink(sink)])
        try await world.run(graph).run()
        let outcomes = sink.batches.entries.flatMap(\.outcomes)
        #expect(outcomes.map(\.caseID) == (1...5).map { UUID.testing($0) })
        #expect(
            outcomes.map(\.state) == [.succeeded, .succeeded, .succeeded, .failed, .succeeded])
        #expect(outcomes[3].reason == "poison: can't be answered")
        #expect(try await settlement.outcome() == nil)
    }

    @Test("ends with a sentence when a sink refuses a case that it was not given")
    func foreignRefusal() async throws {
        struct ScriptedOutcomeSink: OutcomeSink {
            func deliver(_ batch: OutcomeBatch) async throws -> [OutcomeRefusal] {
                [OutcomeRefusal(caseNumber: 7, code: "record-too-large", reason: "too large")]
            }
        }
        let (chunk, settlement) = Chunk.testing([1, 2])
        let graph = world.graph(
            sources: [ScriptedSource([chunk])],
            head: [
                .init(id: "reports", role: .worker(ScriptedGenerator())),
                .init(id: "out", role: .outcomeSink(ScriptedOutcomeSink())),
            ])
        let error = await #expect(throws: PipelineError.self) {
            try await world.run(graph).run()
        }
        #expect(error?.code == "sink-mismatch")
        #expect(error?.message == "stage out refuses case 7, which it was not given")
        #expect(settlement.rejections.count == 0)
    }
}
