import PipelineCore
import PipelineTesting
@testable import SQLite
import Testing

struct ConsumerGroupTests {
    @Test func `One member reads everything`() {
        var group = ConsumerGroup(partitions: 3)
        let member = group.join()
        #expect(group.balance(member) { _ in true } == [0, 1, 2])
    }

    @Test func `A newcomer waits until the owner has settled`() {
        var group = ConsumerGroup(partitions: 4)
        let first = group.join()
        _ = group.balance(first) { _ in true }
        let second = group.join()
        #expect(group.balance(second) { _ in true } == [])
        #expect(group.balance(first) { _ in false } == [0, 2], "it stops reading the others")
        #expect(group.balance(second) { _ in true } == [])
        #expect(group.balance(first) { _ in true } == [0, 2])
        #expect(group.balance(second) { _ in true } == [1, 3])
    }

    @Test func `Who stays takes over from who leaves`() {
        var group = ConsumerGroup(partitions: 2)
        let members = [group.join(), group.join()]
        _ = group.balance(members[0]) { _ in true }
        _ = group.balance(members[1]) { _ in true }
        group.leave(members[0])
        #expect(group.balance(members[1]) { _ in true } == [0, 1])
        #expect(group.balance(members[0]) { _ in true } == [])
    }

    @Test func `More members than partitions leaves some without`() {
        var group = ConsumerGroup(partitions: 1)
        let members = [group.join(), group.join()]
        #expect(group.balance(members[1]) { _ in true } == [])
        #expect(group.balance(members[0]) { _ in true } == [0])
    }
}

@Suite(.timeLimit(.minutes(2)))
struct EmbeddedBusConformanceTests {
    let folder = TemporaryFolder()

    @Test(arguments: BusConformance.checks)
    func `In a file,`(_ check: BusConformance.Check) async throws {
        let path = folder.file("a.sqlite")
        try await check.run(
            BusConformance { EmbeddedBus(database: SQLiteDatabase(path: path), clock: .system) })
    }

    @Test(arguments: BusConformance.checks)
    func `In memory,`(_ check: BusConformance.Check) async throws {
        let database = SQLiteDatabase.inMemory()
        try await check.run(BusConformance { EmbeddedBus(database: database, clock: .system) })
    }
}

struct EmbeddedProgressTests {
    private func step(_ expected: Int64, _ next: Int64) -> PositionAdvance {
        PositionAdvance(source: "t", partition: 0, expected: expected, next: next)
    }

    private func inFlight() -> EmbeddedProgress {
        var progress = EmbeddedProgress()
        progress.start(at: 5)
        progress.handOut(to: 8)
        progress.handOut(to: 9)
        return progress
    }

    @Test func `What settles out of order counts once the gap is closed`() {
        var progress = inFlight()
        progress.settle(step(8, 9))
        #expect(progress.settled == 5)
        #expect(!progress.isIdle(storesPositions: false))
        progress.settle(step(5, 8))
        #expect(progress.settled == 9)
        #expect(progress.isIdle(storesPositions: false))
        #expect(!progress.isIdle(storesPositions: true), "the position is not stored yet")
        progress.markStored(9)
        #expect(progress.isIdle(storesPositions: true))
    }

    @Test func `A rewound step that settles late changes nothing`() {
        var progress = inFlight()
        progress.rewind()
        #expect(progress.position == nil)
        progress.settle(step(5, 8))
        #expect(progress.settled == 5)
        progress.start(at: 5)
        progress.settle(step(5, 8))
        #expect(progress.settled == 5)
    }
}
