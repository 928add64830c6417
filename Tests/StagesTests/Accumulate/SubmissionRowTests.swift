import Batching
import Ledger
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import Stages

@Suite("Chunks that reach a barrier in a row", .timeLimit(.minutes(5)))
struct SubmissionRowTests {
    private let time = ManualClock()
    private let stored = InMemoryPositions()

    private func ledger(
        conflicts: Set<UUID> = [], ahead: Int = 2, isOpen: Bool = true
    ) -> FakeLedger {
        stored.set("topic", 0, to: 0)
        return FakeLedger(conflicts: conflicts, stored: stored, ahead: ahead, isOpen: isOpen) {
            [time] _ in
            SealingResult(
                open: OpenBatch(count: 0, oldest: nil, earliestDeadline: nil),
                clock: time.timestamp, sealed: [], next: nil)
        }
    }

    private func barrier(_ ledger: FakeLedger) -> LedgerBarrier {
        LedgerBarrier(
            ledger: ledger,
            rule: BatchingRule(trigger: .count(4), maxBatch: 4, minInterval: .zero),
            lease: .seconds(30), poll: .seconds(1), retention: nil,
            context: .testing(clock: time.clock, stage: "batch"))
    }

    /// Chunks of two cases each, one behind the other in a partition.
    private func row(_ count: Int) -> [(chunk: Chunk, settlement: RecordedSettlement)] {
        (0..<count).map { number in
            let first = 2 * number
            return Chunk.testing([first + 1, first + 2], at: Int64(first))
        }
    }

    /// Hands the chunks in; answers what has not settled, and why the row ended.
    private func accept(
        _ chunks: [Chunk], by barrier: LedgerBarrier
    ) async -> (left: [Chunk], error: PipelineError?) {
        let waiting = Mutex(chunks[...])
        var error: PipelineError?
        do {
            try await barrier.accept { waiting.withLock { $0.popFirst() } }
        } catch let found { error = found as? PipelineError }
        let taken = chunks.dropLast(waiting.withLock { $0.count })
        return (taken.filter { !$0.delivery.isSettled }, error)
    }

    @Test(
        "the next is taken while the one before has no answer, and nothing settles before its own")
    func takenAhead() async throws {
        let ledger = ledger(isOpen: false)
        let chunks = row(4)
        let barrier = barrier(ledger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                #expect(await accept(chunks.map(\.chunk), by: barrier).left.isEmpty)
            }
            try await ledger.taken.reaches(2)
            for _ in 0..<500 { await Task.yield() }
            #expect(ledger.taken.count == 2)
            #expect(chunks.allSatisfy { $0.settlement.settlements.count == 0 })
            ledger.gate.open()
            try await group.waitForAll()
        }
        #expect(ledger.submissions.entries == chunks.map { $0.chunk.records.compactMap(\.id) })
        for (_, settlement) in chunks { #expect(try await settlement.outcome() == nil) }
        #expect(stored.stored("topic") == [0: 8])
    }

    @Test("settle in order")
    func order() async throws {
        let chunks = row(6)
        let order = Journal<Int>()
        for (index, item) in chunks.enumerated() {
            item.chunk.delivery.observe { _ in order.note(index) }
        }
        #expect(await accept(chunks.map(\.chunk), by: barrier(ledger())).left.isEmpty)
        #expect(order.entries == Array(0..<6))
    }

    @Test(
        "after a conflict nothing more is taken; what was sent behind it is left with it, and loses nothing"
    )
    func conflict() async throws {
        let ledger = ledger(conflicts: [.testing(3)])
        let chunks = row(5)
        let barrier = barrier(ledger)
        let (left, error) = await accept(chunks.map(\.chunk), by: barrier)
        #expect(left.map(\.numbers) == [[3, 4], [5, 6]])
        // What was sent behind it was fenced for its sake, which is nobody's concern.
        #expect(error == nil)
        #expect(ledger.taken.count == 3)
        #expect(chunks[1...].allSatisfy { $0.settlement.settlements.count == 0 })
        #expect(stored.stored("topic") == [0: 2])
        // One by one, as the head does with what is left.
        for chunk in left { try await barrier.accept(chunk) }
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
        let (left, error) = await accept([refused.chunk, other.chunk], by: barrier(ledger))
        #expect(error == nil)
        #expect(left.map(\.numbers) == [[1]])
        #expect(try await other.settlement.outcome() == nil)
    }

    @Test("when another process has taken over, each is left and each is fenced")
    func fenced() async throws {
        let ledger = ledger()
        stored.set("topic", 0, to: 100)
        let chunks = row(3)
        let barrier = barrier(ledger)
        let (left, error) = await accept(chunks.map(\.chunk), by: barrier)
        #expect(left.map(\.numbers) == [[1, 2], [3, 4]])
        #expect(error?.code == "position-moved")
        for chunk in left {
            let error = await #expect(throws: PipelineError.self) {
                try await barrier.accept(chunk)
            }
            #expect(error?.disposition == .fenced)
        }
        #expect(stored.stored("topic") == [0: 100])
    }

    @Test("while the store is away, what was taken is left, in order")
    func storeAway() async throws {
        let ledger = ledger()
        ledger.failures.add(.retryable("store-unavailable", "away"))
        let (left, error) = await accept(row(3).map(\.chunk), by: barrier(ledger))
        #expect(left.map(\.numbers) == [[1, 2], [3, 4]])
        #expect(error?.code == "store-unavailable")
    }

    @Test("those without records and positions settle without the ledger")
    func void() async throws {
        let ledger = ledger()
        let (void, settlement) = Chunk.testing([])
        let (left, _) = await accept(
            [void, Chunk.testing([1, 2], at: 0).chunk], by: barrier(ledger))
        #expect(left.isEmpty)
        #expect(try await settlement.outcome() == nil)
        #expect(ledger.submissions.entries == [[.testing(1), .testing(2)]])
    }
}
