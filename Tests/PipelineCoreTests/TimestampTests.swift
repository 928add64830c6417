import Calendar
import PipelineCore
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
