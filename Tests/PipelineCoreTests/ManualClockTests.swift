import PipelineCore
import PipelineTesting
import Testing

@Suite("The manual clock", .timeLimit(.minutes(5)))
struct ManualClockTests {
    private let time = ManualClock()

    @Test func movesOnlyWhenItIsMoved() {
        let (instant, timestamp) = (time.now, time.timestamp)
        time.advance(by: .seconds(90))
        #expect(instant.duration(to: time.now) == .seconds(90))
        #expect(timestamp.duration(to: time.timestamp) == .seconds(90))
    }

    @Test func resumesSleepersWhoseTimeHasComeAndNoOthers() async throws {
        let time = time
        let start = time.now
        try await withThrowingTaskGroup(of: Int64.self) { group in
            for seconds: Int64 in [3, 1, 2] {
                group.addTask {
                    try await time.sleep(until: start.advanced(by: .seconds(seconds)))
                    return seconds
                }
            }
            try await time.sleepers(atLeast: 3)
            time.advance(by: .seconds(2))
            let woken = [try await group.next(), try await group.next()]
            #expect(Set(woken) == [1, 2])
            #expect(time.sleeperCount == 1)
            time.advance(by: .seconds(1))
            #expect(try await group.next() == 3)
        }
    }

    @Test func doesNotSleepForWhatIsPast() async throws {
        try await time.sleep(until: time.now)
        #expect(time.sleeperCount == 0)
    }

    @Test func letsASleeperBeCancelled() async throws {
        let time = time
        await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await time.sleep(until: Instant(nanoseconds: .max))
            }
            try? await time.sleepers()
            group.cancelAll()
            let result = await group.nextResult()
            #expect(throws: CancellationError.self) { try result?.get() }
        }
        #expect(time.sleeperCount == 0)
    }
}
