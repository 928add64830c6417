import Calendar
import PipelineCore
import PipelineTesting
import Testing

@Suite("Time")
struct TimestampTests {
    @Test("is counted in whole microseconds, and ends rather than overflows")
    func timestamps() {
        let start = Timestamp(microseconds: 1_000_000)
        #expect(start.advanced(by: .nanoseconds(1999)).microseconds == 1_000_001)
        #expect(start.advanced(by: .seconds(-2)).microseconds == -1_000_000)
        #expect(Timestamp(microseconds: .max).advanced(by: .seconds(1)).microseconds == .max)
        #expect(Timestamp(microseconds: .min).advanced(by: .seconds(-1)).microseconds == .min)
        #expect(start.duration(to: Timestamp(microseconds: 3_500_000)) == .milliseconds(2500))
    }

    @Test("has a distance that ends rather than overflows")
    func distances() {
        let (first, last) = (Timestamp(microseconds: .min), Timestamp(microseconds: .max))
        #expect(first.duration(to: last) == .microseconds(Int64.max))
        #expect(last.duration(to: first) == .microseconds(Int64.min))
    }

    @Test("on the monotonic clock ends rather than overflows")
    func instants() {
        let start = Instant(nanoseconds: 5)
        #expect(start.advanced(by: .seconds(1)).nanoseconds == 1_000_000_005)
        #expect(start.advanced(by: .seconds(Int64.max)).nanoseconds == .max)
        #expect(start.duration(to: Instant(nanoseconds: 8)) == .nanoseconds(3))
    }

    @Test("converts durations without overflow")
    func durations() {
        #expect(Duration.milliseconds(1500).wholeMicroseconds == 1_500_000)
        #expect(Duration.milliseconds(1500).wholeMilliseconds == 1500)
        #expect(Duration.seconds(Int64.max).wholeMicroseconds == .max)
        #expect(Duration.seconds(Int64.min).wholeNanoseconds == .min)
        #expect(Duration.nanoseconds(-1500).wholeMicroseconds == -1)
        #expect(Duration.milliseconds(250).inSeconds == 0.25)
        #expect(Duration.hours(2) == .minutes(120))
    }
}

@Suite("A source of randomness")
struct RandomSourceTests {
    @Test("repeats itself for a seed")
    func seeds() {
        let (a, b, c) = (RandomSource(seed: 7), RandomSource(seed: 7), RandomSource(seed: 8))
        let numbers = (0..<10).map { _ in a.next() }
        #expect(numbers == (0..<10).map { _ in b.next() })
        #expect(numbers != (0..<10).map { _ in c.next() })
    }

    @Test("is SplitMix64 as its reference has it")
    func reference() {
        var generator = SplitMix64(seed: 1_234_567)
        let numbers = (0..<5).map { _ in generator.next() }
        #expect(
            numbers == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
                4_593_380_528_125_082_431, 16_408_922_859_458_223_821,
            ])
    }

    @Test("stays within bounds and fills them")
    func bounds() {
        let random = RandomSource(seed: 3)
        let numbers = (0..<1000).map { _ in random.below(10) }
        #expect(Set(numbers) == Set(0..<10))
        let units = (0..<1000).map { _ in random.unit() }
        #expect(units.allSatisfy { (0..<1).contains($0) })
        #expect(units.min()! < 0.01 && units.max()! > 0.99)
    }
}

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
