import Concurrency
import Batching
import PipelineCore
import PipelineTesting
import Synchronization
import Testing

@testable import Stages

@Suite("An accumulate in memory", .timeLimit(.minutes(5)))
struct MemoryAccumulatorTests {
    private let time = ManualClock()
    private let output = Journal<Chunk>()

    /// Feeds chunks in as the test says, until `body` returns; then the input ends.
    private func accumulating(
        _ trigger: Trigger, maxBatch: Int = 100,
        _ body: (@escaping @Sendable (Chunk) -> Void) async throws -> Void
    ) async throws {
        let accumulator = MemoryAccumulator(
            rule: BatchingRule(trigger: trigger, maxBatch: maxBatch, minInterval: .zero),
            clock: time.clock)
        let feed = ChunkFeed()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [output] in
                try await accumulator.run(
                    receiving: { try await feed.next() }, into: Outlet { output.note($0) })
            }
            try await body { feed.add($0) }
            feed.end()
            try await group.waitForAll()
        }
    }

    @Test("makes batches of exactly the count, over the borders of chunks")
    func count() async throws {
        let (first, second) = (Chunk.testing(0..<3, at: 0), Chunk.testing(3..<8, at: 3))
        try await accumulating(.count(4), maxBatch: 4) { feed in
            feed(first.chunk)
            feed(second.chunk)
            try await output.reaches(2)
        }
        #expect(output.entries.map(\.numbers) == [[0, 1, 2, 3], [4, 5, 6, 7]])
        #expect(output.entries.map { $0.records.map(\.ordinal) } == [[0, 1, 2, 3], [0, 1, 2, 3]])
    }

    @Test("settles a chunk when the last batch with a part of it has settled")
    func sharedSettlement() async throws {
        let (first, second) = (Chunk.testing(0..<3), Chunk.testing(3..<8))
        try await accumulating(.count(4), maxBatch: 4) { feed in
            feed(first.chunk)
            feed(second.chunk)
            try await output.reaches(2)
        }
        output.entries[0].acknowledgement.settle(.acknowledged)
        #expect(first.settlement.settlements.count == 1)
        #expect(second.settlement.settlements.count == 0)
        output.entries[1].acknowledgement.settle(.failed(.fenced("position-moved", "moved")))
        #expect(try await first.settlement.outcome() == nil)
        #expect(try await second.settlement.outcome()?.code == "position-moved")
    }

    @Test("sends a refusal to the acknowledgement that the record came with, under its own ordinal")
    func refusals() async throws {
        let (first, second) = (Chunk.testing([10, 11]), Chunk.testing([12, 13]))
        second.chunk.acknowledgement.follow(0, .testing(12, ordinal: 5))
        try await accumulating(.count(4)) { feed in
            feed(first.chunk)
            feed(second.chunk)
            try await output.reaches(1)
        }
        let batch = output.entries[0]
        try await batch.acknowledgement.reject(
            [1, 2].map {
                Rejection(batch.records[$0], stage: "out", code: "too-large", reason: "large")
            })
        batch.acknowledgement.settle(.acknowledged)
        #expect(first.settlement.rejectedOrdinals == [1])
        #expect(second.settlement.rejectedOrdinals == [0, 5])
    }

    @Test("moves positions as far as the records of a batch reach, even inside a chunk")
    func positionsInsideAChunk() async throws {
        let positions = FakePositions()
        positions.set("topic", 0, to: 0)
        try await accumulating(.count(4), maxBatch: 4) { feed in
            feed(Chunk.testing(0..<6, at: 0, upTo: 8).chunk)
            feed(Chunk.testing(6..<12, at: 8).chunk)
            try await output.reaches(3)
        }
        var reached: [Int64] = []
        for batch in output.entries {
            try positions.advance(batch.advances)
            reached.append(positions.stored("topic")[0] ?? -1)
        }
        // A crash between two batches goes on behind the first: nothing is taken in twice.
        #expect(reached == [4, 10, 14])
    }

    @Test("moves positions in the order of arrival, chunks without records included")
    func emptyChunks() async throws {
        let positions = FakePositions()
        positions.set("topic", 0, to: 0)
        let empty = Chunk.testing([], at: 2, upTo: 7)
        try await accumulating(.count(4)) { feed in
            feed(Chunk.testing([1, 2], at: 0).chunk)
            feed(empty.chunk)
            feed(Chunk.testing([3, 4], at: 7).chunk)
            try await output.reaches(1)
        }
        let batch = output.entries[0]
        #expect(batch.advances.count == 1)
        try positions.advance(batch.advances)
        #expect(positions.stored("topic") == [0: 9])
        batch.acknowledgement.settle(.acknowledged)
        #expect(try await empty.settlement.outcome() == nil)
    }

    @Test("passes on positions at once where no record waits for the rule")
    func onlyEmptyChunks() async throws {
        try await accumulating(.maxAge(.seconds(60))) { feed in
            for start in Int64(0)..<3000 {
                feed(Chunk.testing([], at: start, upTo: start + 1).chunk)
            }
            while output.entries.last?.advances.last?.next != 3000 { await Task.yield() }
        }
        #expect(output.entries.allSatisfy { $0.records.isEmpty })
        let steps = output.entries.flatMap(\.advances)
        #expect(steps.first?.expected == 0)
        #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.next == $1.expected })
    }

    @Test("does not hide from the store that the same records were read twice")
    func rereadChunks() async throws {
        let positions = FakePositions()
        positions.set("topic", 0, to: 0)
        try await accumulating(.count(4)) { feed in
            feed(Chunk.testing([1, 2], at: 0).chunk)
            feed(Chunk.testing([1, 2], at: 0).chunk)
            try await output.reaches(1)
        }
        let error = #expect(throws: PipelineError.self) {
            try positions.advance(output.entries[0].advances)
        }
        #expect(error?.disposition == .fenced)
    }

    @Test("fires by age on the clock")
    func age() async throws {
        try await accumulating(.any([.count(100), .maxAge(.seconds(60))])) { feed in
            feed(Chunk.testing([1]).chunk)
            try await time.sleepers()
            time.advance(by: .seconds(59))
            #expect(output.count == 0)
            time.advance(by: .seconds(1))
            try await output.reaches(1)
        }
        #expect(output.entries.map(\.numbers) == [[1]])
    }

    @Test("sends on what it holds when its input ends, in batches of at most max_batch")
    func end() async throws {
        try await accumulating(.maxAge(.hours(1)), maxBatch: 4) { feed in
            feed(Chunk.testing(0..<7).chunk)
        }
        #expect(output.entries.map(\.records.count) == [4, 3])
    }
}

/// Chunks that a test feeds in, and the end of them.
private final class ChunkFeed: Sendable {
    private let waiting = Mutex<(chunks: [Chunk], isEnded: Bool)>(([], false))
    private let changed = Signal()

    func add(_ chunk: Chunk) {
        waiting.withLock { $0.chunks.append(chunk) }
        changed.send()
    }
    func end() {
        waiting.withLock { $0.isEnded = true }
        changed.send()
    }
    func next() async throws -> Chunk? {
        while true {
            let (chunk, isEnded) = waiting.withLock { waiting in
                let next = waiting.chunks.isEmpty ? nil : waiting.chunks.removeFirst()
                return (next, waiting.isEnded)
            }
            if chunk != nil || isEnded { return chunk }
            try await changed.wait()
        }
    }
}
