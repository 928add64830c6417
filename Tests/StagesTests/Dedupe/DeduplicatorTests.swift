import Concurrency
import PipelineCore
import PipelineTesting
import Testing

@testable import Stages

@Suite("A dedupe", .timeLimit(.minutes(5)))
struct DeduplicatorTests {
    private let time = ManualClock()

    private func deduplicator(
        window: Duration = .seconds(600), maxKeys: Int = 1000, passesUnsettled: Bool = false
    ) -> Deduplicator {
        Deduplicator(
            memory: ProcessDedupeMemory(window: window, maxKeys: maxKeys, clock: time.clock),
            passesUnsettled: passesUnsettled, key: { DedupeStage.Key.caseID.of($0) })
    }

    /// Sends a chunk through and settles it.
    private func pass(
        _ numbers: [Int], content: UInt8 = 0, _ settlement: Settlement = .acknowledged,
        through dedupe: Deduplicator
    ) async throws -> [Int] {
        let passed = try await dedupe.process(Chunk.testing(numbers, content: content).chunk)
        passed.acknowledgement.settle(settlement)
        return passed.numbers
    }

    @Test("drops a repeat of the same key and content once the first has settled")
    func repeats() async throws {
        let dedupe = deduplicator()
        #expect(try await pass([1, 2], through: dedupe) == [1, 2])
        #expect(try await pass([2, 1, 3], through: dedupe) == [3])
    }

    @Test(
        "lets a repeat of a case that has failed since go on, whatever the key is",
        arguments: [DedupeStage.Key.caseID, .recordKey, .content])
    func failedCases(_ key: DedupeStage.Key) async throws {
        let cases = FakeCases()
        let dedupe = Deduplicator(
            memory: ProcessDedupeMemory(
                window: .seconds(600), maxKeys: 100, clock: time.clock), cases: cases,
            passesUnsettled: false, key: { key.of($0) })
        func pass(_ numbers: [Int]) async throws -> [Int] {
            var chunk = Chunk.testing(numbers).chunk
            for index in chunk.records.indices {
                chunk.records[index].key = chunk.records[index].payload
            }
            let passed = try await dedupe.process(chunk)
            passed.acknowledgement.settle(.acknowledged)
            return passed.numbers
        }
        #expect(try await pass([1, 2, 3, 4, 5]) == [1, 2, 3, 4, 5])
        #expect(cases.statements.count == 0)
        for (number, state) in [(1, CaseState.pending), (2, .succeeded)] {
            cases.put(number, state)
        }
        for (number, state) in [(3, CaseState.failed), (4, .cancelled), (5, .expired)] {
            cases.put(number, state)
        }
        // One statement for the repeats of a chunk; a repeat in the chunk shares the fate of the
        // first.
        #expect(try await pass([6, 1, 2, 3, 4, 5, 3]) == [6, 3, 4, 5])
        #expect(cases.statements.entries == [5])
        // It waits for its second attempt: another repeat is one of a live case.
        cases.put(3, .pending)
        #expect(try await pass([3]) == [])
        // Its case has been deleted meanwhile.
        #expect(try await pass([6]) == [6])
        // While nobody can say, repeats go on: the ledger finds them out itself.
        cases.failures.add(.retryable("store-unavailable", "away"))
        #expect(try await pass([1]) == [1])
    }

    @Test("lets the same key with other content go on: the ledger says what it is")
    func otherContent() async throws {
        let dedupe = deduplicator()
        #expect(try await pass([1], content: 0, through: dedupe) == [1])
        #expect(try await pass([1], content: 1, through: dedupe) == [1])
    }

    @Test("remembers nothing that did not settle")
    func failure() async throws {
        let dedupe = deduplicator()
        let failed = Settlement.failed(.retryable("away", "away"))
        #expect(try await pass([1], failed, through: dedupe) == [1])
        #expect(try await pass([1], through: dedupe) == [1])
        #expect(try await pass([1], through: dedupe) == [])
    }

    @Test("lets a repeat wait for the first to settle, and drops it then")
    func inFlight() async throws {
        let dedupe = deduplicator()
        let first = try await dedupe.process(Chunk.testing([1]).chunk)
        let passed = AsyncEvent()
        let second = Task {
            let chunk = try await dedupe.process(Chunk.testing([1, 2]).chunk)
            passed.set()
            return chunk
        }
        for _ in 0..<500 { await Task.yield() }
        #expect(!passed.isSet)
        first.acknowledgement.settle(.acknowledged)
        #expect(try await second.value.numbers == [2])
    }

    @Test("lets a repeat that waited go on when the first has failed")
    func inFlightFailure() async throws {
        let dedupe = deduplicator()
        let first = try await dedupe.process(Chunk.testing([1]).chunk)
        let second = Task { try await dedupe.process(Chunk.testing([1]).chunk) }
        for _ in 0..<500 { await Task.yield() }
        first.acknowledgement.settle(.failed(.fenced("position-moved", "moved")))
        let passed = try await second.value
        #expect(passed.numbers == [1])
        passed.acknowledgement.settle(.acknowledged)
        #expect(try await pass([1], through: dedupe) == [])
    }

    @Test("does not hold up other content of a key that is in flight")
    func inFlightOtherContent() async throws {
        let dedupe = deduplicator()
        let first = try await dedupe.process(Chunk.testing([1], content: 0).chunk)
        let second = try await dedupe.process(Chunk.testing([1], content: 1).chunk)
        #expect(second.numbers == [1])
        first.acknowledgement.settle(.acknowledged)
        second.acknowledgement.settle(.acknowledged)
    }

    @Test("does not wait where settlement comes with a later batch; repeats go on")
    func lateSettlement() async throws {
        let dedupe = deduplicator(passesUnsettled: true)
        let first = try await dedupe.process(Chunk.testing([1]).chunk)
        let second = try await dedupe.process(Chunk.testing([1]).chunk)
        #expect(second.numbers == [1])
        first.acknowledgement.settle(.acknowledged)
        second.acknowledgement.settle(.acknowledged)
        #expect(try await pass([1], through: dedupe) == [])
    }

    @Test("gives a repeat in the same acknowledgement the fate of the first")
    func followers() async throws {
        let dedupe = deduplicator()
        let (chunk, settlement) = Chunk.testing([1, 1, 2, 1])
        let passed = try await dedupe.process(chunk)
        #expect(passed.numbers == [1, 2])
        try await passed.acknowledgement.reject([
            Rejection(passed.records[0], stage: "batch", code: "conflict", reason: "known")
        ])
        passed.acknowledgement.settle(.acknowledged)
        #expect(settlement.rejectedOrdinals == [0, 1, 3])
        // What was refused is not remembered: it would be refused again, with its reason.
        #expect(try await pass([1, 2], through: dedupe) == [1])
    }

    @Test("forgets a key after its window")
    func window() async throws {
        let dedupe = deduplicator(window: .seconds(60))
        #expect(try await pass([1], through: dedupe) == [1])
        time.advance(by: .seconds(59))
        #expect(try await pass([1], through: dedupe) == [])
        time.advance(by: .seconds(1))
        #expect(try await pass([1], through: dedupe) == [1])
    }

    @Test("forgets the oldest key first when there are too many")
    func bound() async throws {
        let dedupe = deduplicator(maxKeys: 3)
        #expect(try await pass([1, 2, 3, 4], through: dedupe) == [1, 2, 3, 4])
        #expect(try await pass([2, 3, 4], through: dedupe) == [])
        #expect(try await pass([1], through: dedupe) == [1])
    }

    @Test("passes on a chunk without records, since it moves positions")
    func empty() async throws {
        let dedupe = deduplicator()
        #expect(try await pass([1], through: dedupe) == [1])
        let (chunk, _) = Chunk.testing([1], at: 7)
        let passed = try await dedupe.process(chunk)
        #expect(passed.records.isEmpty)
        #expect(passed.advances.map(\.next) == [8])
        passed.acknowledgement.settle(.acknowledged)
    }

    @Test(
        "never drops a case for another's sake, however equal they are",
        arguments: [DedupeStage.Key.recordKey, .content])
    func otherCases(_ key: DedupeStage.Key) async throws {
        let dedupe = Deduplicator(
            memory: ProcessDedupeMemory(
                window: .seconds(600), maxKeys: 100, clock: time.clock),
            passesUnsettled: false, key: { key.of($0) })
        func pass(_ numbers: [Int]) async throws -> [Int] {
            var chunk = Chunk.testing(numbers).chunk
            for index in chunk.records.indices {
                chunk.records[index].key = [7]
                // What a codec says of requests with equal parameters.
                chunk.records[index].digest = Digest(high: 1, low: 2)
            }
            let passed = try await dedupe.process(chunk)
            passed.acknowledgement.settle(.acknowledged)
            return passed.numbers
        }
        #expect(try await pass([1, 2, 1]) == [1, 2])
        #expect(try await pass([3, 2]) == [3])
    }

    @Test("takes the key that its settings name; a record without one passes")
    func keys() {
        var record = Record.testing(1)
        record.id = nil
        record.key = [7]
        #expect(DedupeStage.Key.recordKey.of(record) == DedupeKey(Digest(of: [7])))
        #expect(DedupeStage.Key.content.of(record) == DedupeKey(Digest(of: record.payload)))
        record.digest = Digest(high: 1, low: 2)
        #expect(DedupeStage.Key.content.of(record) == DedupeKey(high: 1, low: 2))
        record.key = nil
        record.id = nil
        #expect(DedupeStage.Key.recordKey.of(record) == nil)
        #expect(DedupeStage.Key.caseID.of(record) == nil)
    }
}
