import Concurrency
import Logging
import PipelineCore
import PipelineTesting
import Testing

@testable import PipelineRuntime

@Suite("Accepting", .timeLimit(.minutes(5)))
struct AcceptLoopTests {
    private let world = RunningPipeline()
    private let stored = FakePositions()

    private func ledger(
        conflicts: Set<UUID> = [], ahead: Int = 2, isOpen: Bool = true
    ) -> FakeLedger {
        stored.set("topic", 0, to: 0)
        return FakeLedger(conflicts: conflicts, stored: stored, ahead: ahead, isOpen: isOpen)
    }

    private func loop(
        _ ledger: FakeLedger, ready: @escaping @Sendable () -> Chunk? = { nil }
    ) -> AcceptLoop {
        let environment = world.environment()
        return AcceptLoop(
            barrier: world.barrier(ledger, environment), environment: environment, ready: ready)
    }

    /// Chunks of two cases each, one behind the other in a partition.
    private func consecutive(_ count: Int) -> [(chunk: Chunk, settlement: RecordingSettlement)] {
        (0..<count).map { number in
            let first = 2 * number
            return Chunk.testing([first + 1, first + 2], at: Int64(first))
        }
    }

    /// Hands the chunks in through a window; answers what has not settled, and why it ended.
    private func accept(
        _ chunks: [Chunk], by ledger: FakeLedger
    ) async -> (left: [Chunk], error: PipelineError?) {
        let waiting = ScriptedChunks(chunks)
        let window = loop(ledger) { waiting.next() }.window
        do {
            try await ledger.accept(from: window)
        } catch { Issue.record("\(error)") }
        let error = window.failure as? PipelineError
        let left = window.left()
        let taken = chunks.dropLast(waiting.count)
        #expect(
            left.map(\.numbers) == taken.filter { !$0.acknowledgement.isSettled }.map(\.numbers))
        return (left, error)
    }

    @Test("settles a chunk once its cases are committed, and not before")
    func settles() async throws {
        let ledger = FakeLedger()
        let (chunk, settlement) = Chunk.testing([1, 2], at: 0)
        ledger.failures.add(.retryable("store-unavailable", "away"))
        let loop = loop(ledger)
        await #expect(throws: PipelineError.self) { try await loop.attempt(chunk) }
        #expect(settlement.settlements.count == 0)
        try await loop.attempt(chunk)
        #expect(ledger.submissions.entries == [[.testing(1), .testing(2)]])
        #expect(try await settlement.outcome() == nil)
    }

    @Test(
        "ends what is told of a failure that was given up, by whichever way it accepts again",
        arguments: [0, 1])
    func heals(_ ahead: Int) async throws {
        let ledger = ledger(ahead: ahead)
        let environment = world.environment()
        let condition = environment.condition
        condition.prepared()
        let loop = AcceptLoop(
            barrier: world.barrier(ledger, environment), environment: environment,
            blocked: { condition.blocked(by: $0, at: world.time.now) })
        for _ in 0...ahead { ledger.fail(.accept, .retryable("store-unavailable", "away")) }
        let forsaken = Chunk.forsaken([1])
        var calls = 0
        try await loop.run {
            calls += 1
            if calls == 1 { return forsaken }
            #expect(condition.problem(at: world.time.now) == (calls == 2 ? "away" : nil))
            return calls == 2 ? Chunk.testing([2]).chunk : nil
        }
        #expect(calls == 3 && ledger.accepted.count == 1)
    }

    @Test("keeps conflicts in the dead letters before anything is committed")
    func conflicts() async throws {
        let ledger = FakeLedger(conflicts: [.testing(2)])
        let (chunk, settlement) = Chunk.testing([1, 2, 3], at: 0)
        let loop = loop(ledger)
        settlement.failures.add(.retryable("bus-unavailable", "away"))
        await #expect(throws: PipelineError.self) { try await loop.attempt(chunk) }
        // Nothing but the attempt that found them: no commit while a conflict is not kept.
        #expect(ledger.submissions.count == 1)
        #expect(settlement.settlements.count == 0)
        try await loop.attempt(chunk)
        #expect(ledger.submissions.entries.last == [.testing(1), .testing(3)])
        #expect(settlement.rejectedOrdinals == [1])
        let rejection = settlement.rejections.entries[0]
        #expect(rejection.code == "conflict")
        #expect(rejection.stage == "batch")
        #expect(rejection.reason.contains(UUID.testing(2).description))
        #expect(try await settlement.outcome() == nil)
    }

    @Test(
        "ends the pipeline with a sentence when a ledger finds conflicts where it was given no case",
        arguments: [[0, 7], [-1], []])
    func strayConflicts(_ indices: [Int]) async throws {
        let (chunk, settlement) = Chunk.testing([1, 2], at: 0)
        let loop = loop(FakeLedger(strayConflicts: indices))
        let error = await #expect(throws: PipelineError.self) { try await loop.attempt(chunk) }
        #expect(error?.code == "ledger-mismatch" && error?.disposition == .fatal)
        #expect(
            error?.message == "stage batch: the ledger finds conflicts at \(indices) of 2 cases")
        #expect(settlement.rejections.count == 0 && settlement.settlements.count == 0)
    }

    @Test("keeps what the store refuses for itself in the dead letters, and accepts the rest")
    func refusals() async throws {
        let stored = FakePositions()
        _ = try await stored.positions(of: "topic", initial: [0: 0])
        let ledger = FakeLedger(
            conflicts: [.testing(4)], refused: [.testing(2), .testing(7)], stored: stored)
        let (chunk, settlement) = Chunk.testing(Array(1...8), at: 0)
        settlement.failures.add(.retryable("bus-unavailable", "away"))
        let loop = loop(ledger)
        await #expect(throws: PipelineError.self) { try await loop.attempt(chunk) }
        // The chunk's positions stand still while a refused record is not kept.
        #expect(settlement.settlements.count == 0)
        try await loop.attempt(chunk)
        #expect(settlement.rejectedOrdinals == [1, 3, 6])
        let rejections = settlement.rejections.entries
        #expect(rejections.map(\.code) == ["store-data", "conflict", "store-data"])
        #expect(rejections[0].reason == "there is no such character")
        #expect(rejections[0].stage == "batch")
        let accepted = Set(ledger.accepted.entries.flatMap(\.self))
        #expect(accepted == Set([1, 3, 5, 6, 8].map { .testing($0) }))
        #expect(try await settlement.outcome() == nil)
    }

    @Test("tells of a store that refuses everything, once, and goes on all the same")
    func refusesEverything() async throws {
        let loop = loop(FakeLedger(refused: Set((1...9).map { .testing($0) })))
        func told() -> [String] {
            world.log.events.map { "\($0.message)" }.filter {
                $0.contains("refuses every record")
            }
        }
        // One record alone says nothing of the others, nor do two that are refused among others.
        try await loop.attempt(Chunk.testing([1], at: 0).chunk)
        try await loop.attempt(Chunk.testing([2, 3, 20], at: 1).chunk)
        #expect(told().isEmpty)
        for start in [4, 6] {
            let (chunk, settlement) = Chunk.testing([start, start + 1], at: Int64(start))
            try await loop.attempt(chunk)
            #expect(settlement.rejectedOrdinals == [0, 1])
            #expect(try await settlement.outcome() == nil)
        }
        #expect(told().count == 1)
        try await loop.attempt(Chunk.testing([21], at: 8).chunk)
        #expect(world.log.events.last.map { "\($0.message)" } == "works again")
    }

    @Test("moves positions even when every record of a chunk is a conflict, or it has none")
    func emptyChunks() async throws {
        let ledger = FakeLedger(conflicts: [.testing(1)])
        let loop = loop(ledger)
        try await loop.attempt(Chunk.testing([1], at: 0).chunk)
        try await loop.attempt(Chunk.testing([], at: 1, upTo: 5).chunk)
        #expect(ledger.submissions.entries == [[.testing(1)], [], []])
        let (nothingAtAll, settlement) = Chunk.testing([])
        try await loop.attempt(nothingAtAll)
        #expect(ledger.submissions.count == 3)
        #expect(try await settlement.outcome() == nil)
    }

    @Test(
        "the next is taken while the one before has no answer, and nothing settles before its own")
    func takenAhead() async throws {
        let ledger = ledger(isOpen: false)
        let chunks = consecutive(4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                #expect(await accept(chunks.map(\.chunk), by: ledger).left.isEmpty)
            }
            try await ledger.taken.reaches(2)
            for _ in 0..<500 { await Task.yield() }
            #expect(ledger.taken.count == 2)
            #expect(chunks.allSatisfy { $0.settlement.settlements.count == 0 })
            ledger.gate.set()
            try await group.waitForAll()
        }
        #expect(ledger.submissions.entries == chunks.map { $0.chunk.records.compactMap(\.id) })
        for (_, settlement) in chunks { #expect(try await settlement.outcome() == nil) }
        #expect(stored.stored("topic") == [0: 8])
    }

    @Test("settle in order")
    func order() async throws {
        let chunks = consecutive(6)
        let order = Journal<Int>()
        for (index, item) in chunks.enumerated() {
            item.chunk.acknowledgement.observe { _ in order.note(index) }
        }
        #expect(await accept(chunks.map(\.chunk), by: ledger()).left.isEmpty)
        #expect(order.entries == Array(0..<6))
    }

    @Test(
        "after a conflict nothing more is taken; what was sent behind it is left with it, and loses nothing"
    )
    func conflict() async throws {
        let ledger = ledger(conflicts: [.testing(3)])
        let chunks = consecutive(5)
        let loop = loop(ledger)
        let (left, error) = await accept(chunks.map(\.chunk), by: ledger)
        #expect(left.map(\.numbers) == [[3, 4], [5, 6]])
        // What was sent behind it was fenced for its sake, which is nobody's concern.
        #expect(error == nil)
        #expect(ledger.taken.count == 3)
        #expect(chunks[1...].allSatisfy { $0.settlement.settlements.count == 0 })
        #expect(stored.stored("topic") == [0: 2])
        // One by one, as the head does with what is left.
        for chunk in left { try await loop.attempt(chunk) }
        #expect(chunks[1].settlement.rejectedOrdinals == [0])
        #expect(chunks[1].settlement.rejections.entries[0].code == "conflict")
        for (_, settlement) in chunks[...2] { #expect(try await settlement.outcome() == nil) }
        #expect(stored.stored("topic") == [0: 6])
        #expect(
            ledger.submissions.entries.suffix(2) == [[.testing(4)], [.testing(5), .testing(6)]])
    }

    @Test("one of another input, sent behind a conflict, is settled all the same")
    func conflictBesideAnotherInput() async throws {
        let ledger = ledger(conflicts: [.testing(1)])
        let (refused, other) = (Chunk.testing([1], at: 0), Chunk.testing([7]))
        let (left, error) = await accept([refused.chunk, other.chunk], by: ledger)
        #expect(error == nil)
        #expect(left.map(\.numbers) == [[1]])
        #expect(try await other.settlement.outcome() == nil)
    }

    @Test("when another process has taken over, each is left and each is fenced")
    func fenced() async throws {
        let ledger = ledger()
        stored.set("topic", 0, to: 100)
        let chunks = consecutive(3)
        let loop = loop(ledger)
        let (left, error) = await accept(chunks.map(\.chunk), by: ledger)
        #expect(left.map(\.numbers) == [[1, 2], [3, 4]])
        #expect(error?.code == "position-moved")
        for chunk in left {
            let error = await #expect(throws: PipelineError.self) {
                try await loop.attempt(chunk)
            }
            #expect(error?.disposition == .fenced)
        }
        #expect(stored.stored("topic") == [0: 100])
    }

    @Test("while the store is away, what was taken is left, in order")
    func storeAway() async throws {
        let ledger = ledger()
        ledger.failures.add(.retryable("store-unavailable", "away"))
        let (left, error) = await accept(consecutive(3).map(\.chunk), by: ledger)
        #expect(left.map(\.numbers) == [[1, 2], [3, 4]])
        #expect(error?.code == "store-unavailable")
    }

    @Test("those without records and positions settle without the ledger")
    func void() async throws {
        let ledger = ledger()
        let (void, settlement) = Chunk.testing([])
        let (left, _) = await accept(
            [void, Chunk.testing([1, 2], at: 0).chunk], by: ledger)
        #expect(left.isEmpty)
        #expect(try await settlement.outcome() == nil)
        #expect(ledger.submissions.entries == [[.testing(1), .testing(2)]])
    }

    @Test("what was sent without an answer is handed in again as such, and once settled no more")
    func lostAnswers() async throws {
        let ledger = ledger()
        ledger.failures.add(
            .retryable("store-unavailable", "away"), .retryable("store-unavailable", "away"))
        let waiting = ScriptedChunks(consecutive(3).map(\.chunk))
        let window = loop(ledger) { waiting.next() }.window
        try await ledger.accept(from: window)
        let left = window.left()
        #expect(left.map(\.numbers) == [[1, 2], [3, 4]])
        let first = try window.submissions(of: left[0], left[0].records)
        #expect(first.ends(of: left[0].advances[0]) == [2, 4])
        window.forget(left[0])
        let second = try window.submissions(of: left[1], left[1].records)
        #expect(second.unanswered == left[1].advances)
        #expect(second.ends(of: left[1].advances[0]) == [4])
        // A chunk that was refused, or was never handed in, excuses nothing.
        let (fresh, _) = Chunk.testing([5, 6], at: 4)
        #expect(try window.submissions(of: fresh, fresh.records).unanswered.isEmpty)
    }

    @Test("ends the pipeline with a sentence when a codec has left out a case id")
    func unread() async throws {
        var (chunk, settlement) = Chunk.testing([1, 2], at: 0)
        chunk.records[1].id = nil
        let ledger = ledger()
        let waiting = ScriptedChunks([chunk])
        let loop = loop(ledger)
        let error = await #expect(throws: PipelineError.self) {
            try await loop.run { waiting.next() }
        }
        #expect(error?.code == "codec-mismatch")
        #expect(error?.disposition == .fatal)
        #expect(ledger.accepted.count == 0)
        #expect(settlement.settlements.count == 0)
    }
}
