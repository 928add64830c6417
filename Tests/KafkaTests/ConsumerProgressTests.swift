internal import PipelineCore
internal import Testing

@testable internal import Kafka

struct ConsumerProgressTests {
    private var progress = ConsumerProgress(now: Instant(nanoseconds: 0))

    init() { start([0: 10, 1: 0]) }

    private mutating func start(_ positions: [Int32: Int64]) {
        progress.start(
            StoredPositions(source: "t", next: positions), now: Instant(nanoseconds: 0))
    }

    private func advance(_ partition: Int32, _ expected: Int64, _ next: Int64) -> PositionAdvance {
        PositionAdvance(source: "t", partition: partition, expected: expected, next: next)
    }

    @Test mutating func `an advance expects what the last one left, whatever the gaps`() {
        #expect(progress.admit(0, 12) == 10)
        #expect(progress.admit(0, 13) == 13)
        #expect(progress.admit(0, 20) == 14)
        #expect(progress.admit(1, 0) == 0)
    }

    @Test mutating func `records of partitions that are not assigned are dropped`() {
        #expect(progress.admit(7, 0) == nil)
        progress.stop([0])
        #expect(progress.admit(0, 12) == nil)
    }

    @Test mutating func `a record from before the position means reading positions again`() {
        #expect(progress.admit(0, 9) == nil)
        #expect(progress.rewinding == [0])
        #expect(progress.admit(0, 10) == nil)
        start([0: 5])
        #expect(progress.rewinding.isEmpty)
        #expect(progress.admit(0, 5) == 5)
    }

    @Test mutating func `only what settled without a gap is committed, once`() {
        for offset in Int64(10)..<30 { #expect(progress.admit(0, offset) != nil) }
        progress.settle(advance(0, 20, 30))
        #expect(!progress.hasUncommitted)
        progress.settle(advance(0, 10, 20))
        #expect(progress.takeCommits() == [0: 30])
        #expect(progress.takeCommits() == [:])
    }

    @Test mutating func `settlements from before the assignment commit nothing`() {
        progress.settle(advance(0, 0, 10))
        progress.settle(advance(0, 30, 40))
        progress.settle(advance(5, 0, 10))
        #expect(progress.takeCommits() == [:])
    }

    @Test
    mutating func `a late settlement of a lost partition commits nothing, even once it is back`() {
        for offset in Int64(10)..<15 { #expect(progress.admit(0, offset) != nil) }
        progress.stop([0])
        progress.settle(advance(0, 10, 15))
        #expect(!progress.hasUncommitted)
        // Somebody else got on to 40 meanwhile.
        start([0: 40])
        progress.settle(advance(0, 10, 15))
        #expect(progress.takeCommits() == [:])
    }

    @Test mutating func `a failed commit is made again`() {
        #expect(progress.admit(1, 0) == 0)
        progress.settle(advance(1, 0, 1))
        let offsets = progress.takeCommits()
        #expect(offsets == [1: 1])
        progress.uncommit(offsets)
        #expect(progress.takeCommits() == [1: 1])
    }

    @Test mutating func `commits are due a second after the last ones`() {
        #expect(progress.nextCommit == nil)
        #expect(progress.admit(1, 0) == 0)
        progress.settle(advance(1, 0, 1))
        #expect(progress.nextCommit == Instant(nanoseconds: 1_000_000_000))
        #expect(progress.takeDueCommits(now: Instant(nanoseconds: 999_999_999)) == [:])
        #expect(progress.takeDueCommits(now: Instant(nanoseconds: 1_000_000_000)) == [1: 1])
    }
}
