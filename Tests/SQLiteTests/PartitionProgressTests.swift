import PipelineCore
import Testing

@testable import SQLite

struct PartitionProgressTests {
    private func step(_ expected: Int64, _ next: Int64) -> PositionAdvance {
        PositionAdvance(source: "t", partition: 0, expected: expected, next: next)
    }

    private func inFlight() -> PartitionProgress {
        var progress = PartitionProgress()
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
