internal import PipelineCore
internal import PipelineTesting
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

    @Test mutating func `what was read to the log's end is committed behind a marker there`() {
        #expect(progress.admit(0, 10) == 10)
        progress.reachedEnd(0, 12)
        #expect(progress.takeCommits() == [:])
        progress.settle(advance(0, 10, 11))
        #expect(progress.takeCommits() == [0: 12])
        // The store goes on from the last record.
        #expect(progress.admit(0, 12) == 11)
        #expect(!progress.hasUncommitted)
        progress.settle(advance(0, 11, 13))
        #expect(progress.takeCommits() == [0: 13])
    }

    @Test mutating func `a settlement of the log that had the name before commits nothing`() {
        #expect(progress.admit(0, 10) == 10)
        progress.start(
            StoredPositions(source: "t#1", next: [0: 0]), now: Instant(nanoseconds: 0))
        #expect(progress.rewinding == [1])
        for offset in Int64(0)..<20 { #expect(progress.admit(0, offset) != nil) }
        progress.settle(advance(0, 0, 11))
        #expect(progress.takeCommits() == [:])
    }

    @Test mutating func `a look is due when records were read or wait, sooner when none wait`() {
        func at(_ seconds: Int64) -> Instant {
            Instant(nanoseconds: 0).advanced(by: .seconds(seconds))
        }
        progress.continuity.start(0, witness: LogWitness(offset: 9, digest: 1))
        #expect(!progress.isLookDue(now: at(100), recordsWait: false))
        #expect(progress.isLookDue(now: at(100), recordsWait: true))
        progress.looked(now: at(100))
        progress.continuity.note(
            first: nil, last: LogWitness(offset: 20, digest: 2), of: 0)
        #expect(!progress.isLookDue(now: at(101), recordsWait: false))
        #expect(progress.isLookDue(now: at(102), recordsWait: false))
        #expect(!progress.isLookDue(now: at(109), recordsWait: true))
        #expect(progress.isLookDue(now: at(110), recordsWait: true))
        #expect(progress.lookDue == at(102))
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

struct KafkaOwnershipTests {
    @Test func `messages keep their client, in whatever order a consumer lets go of its parts`()
        throws
    {
        let settings = try KafkaSettings(ResourceAddress(url: "kafka://127.0.0.1:1")!)
        var consumer: KafkaConsumer? = try KafkaConsumer(
            settings, Subscription(topic: "t", group: "g"), positions: FakePositions(),
            clock: .system, log: nil)
        weak let client = consumer?.client
        let buffer = MessageBuffer(of: try #require(consumer).client, capacity: 1)
        consumer = nil
        #expect(client != nil)
        letGo(buffer)
        #expect(client == nil)
    }

    private func letGo(_ buffer: consuming MessageBuffer) { _ = consume buffer }
}
